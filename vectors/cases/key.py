"""Step 3: the raw protected header selects the key (Spec 2.2)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cases.kit import KEY_A, KEY_B, KEY_E, SM2, STRANGER, accepted, bstr, case, nint, refused, text, token

ABOUT = (
    "Step 3: algorithm and kid together select the key. A header of the right shape that selects none is key.unknown."
)


def cases() -> Iterator[dict[str, Any]]:
    """All cases of the family."""
    yield case("key/accept-second", "the second key of the ring", text(token(key=KEY_B)), accepted(KEY_B))
    yield case("key/accept-esp256", "a key that was made as ESP256", text(token(key=KEY_E)), accepted(KEY_E),
               keys=[KEY_A.jwk(), KEY_E.jwk()])  # fmt: skip
    yield case("key/unknown", "the kid is in no entry", text(token(key=STRANGER)), refused("key.unknown"))
    yield case("key/unknown-empty-ring", "the ring is empty", text(token()), refused("key.unknown"), keys=[])
    yield case("key/unknown-zeros", "a kid of zeros", text(token(header=b"\xa2\x01\x26\x04\x48" + bytes(8))),
               refused("key.unknown"))  # fmt: skip
    kid = KEY_A.kid[:7] + bytes([KEY_A.kid[7] ^ 1])
    yield case("key/unknown-one-bit", "the kid differs in its last bit",
               text(token(header=b"\xa2\x01\x26\x04" + bstr(kid))), refused("key.unknown"))  # fmt: skip
    for name, why, key, algorithm in (
        ("es256-as-esp256", "an ES256 key's kid under ESP256", KEY_A, -9),
        ("esp256-as-es256", "an ESP256 key's kid under ES256", KEY_E, -7),
        ("es256-as-sm2", "an ES256 key's kid under SM2", KEY_A, SM2),
        ("esp256-as-sm2", "an ESP256 key's kid under SM2", KEY_E, SM2),
    ):
        header = b"\xa2\x01" + nint(algorithm) + b"\x04" + bstr(key.kid)
        yield case(f"key/{name}", f"{why}: a key has one algorithm", text(token(key=key, header=header)),
                   refused("key.unknown"), keys=[KEY_A.jwk(), KEY_E.jwk()])  # fmt: skip
