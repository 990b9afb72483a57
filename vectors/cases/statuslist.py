"""The status list (Spec 3.5): its bytes, and what it says of an index."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Any

from cases.kit import KEY_A, STRANGER, Key, bstr, raw_signature, sig_structure, token, tstr, uint

ABOUT = (
    "A status list: `list` (hex) is read with the keys of `jwks` as the list at `uri`, at `now`, with room for "
    "`max_entries`. `expect` has the status of some indexes, or is null: the list is refused with status.unavailable."
)
LIST_KEY = Key("status list")
URI = "https://status.example/1"
IAT = 1_800_000_000
EXP, TTL = IAT + 3600, 300
BITS = bytes.fromhex("c944f9")
"""The example of the draft: with 2 bits 1 2 0 3 0 1 0 1 1 2 3 3."""


BOMB = bytes.fromhex(
    "78daedc101010000008090feafee080a00000000000000000000000000000000000000000000000000000000"
    "00000000000000000000000000000000000000000000000000000000000000000000006a000f0001"
)
"""65,536 zeros, as one zlib has compressed them."""


def compressed(array: bytes = BITS) -> bytes:
    """Zlib with no compression at all: the same bytes from every zlib."""
    return zlib.compress(array, 0)


def far() -> bytes:
    """A 2, 299 zeros, and the first 258 of these bytes again, by a distance of 300 although the header says 256."""
    first = b"\x02" + bytes(299)
    stored = b"\x00" + len(first).to_bytes(2, "little") + (len(first) ^ 0xFFFF).to_bytes(2, "little") + first
    copied = bytes.fromhex("1b0d2b00")  # the last block, with the fixed codes: length 258, distance 300, end
    return b"\x08\x1d" + stored + copied + zlib.adler32(first + first[:258]).to_bytes(4, "big")


def content(**changed: bytes) -> bytes:
    """The claims of a list; what is changed is given as raw bytes."""
    parts = {
        "map": b"\xa5",
        "sub": b"\x02" + tstr(URI),
        "exp": b"\x04" + uint(EXP),
        "iat": b"\x06" + uint(IAT),
        "label": b"\x19\xff\xfd",
        "list": list_of(2),
        "ttl": b"\x19\xff\xfe" + uint(TTL),
        "end": b"",
    }
    assert changed.keys() <= parts.keys()
    return b"".join((parts | changed).values())


def list_of(bits: int, array: bytes | None = None) -> bytes:
    """The array, by zlib, and how many bits an entry has."""
    data = compressed() if array is None else array
    return b"\xa2" + tstr("lst") + bstr(data) + tstr("bits") + uint(bits)


def _header(key: Key, typ: bytes) -> bytes:
    return b"\xa3\x01\x26\x04" + bstr(key.kid) + typ


_TYP = b"\x10" + tstr("application/statuslist+cwt")


def status_list(
    claims: bytes | None = None, *, key: Key = LIST_KEY, header: bytes | None = None, **changed: bytes
) -> bytes:
    """A signed list; what is changed of its envelope is given as raw bytes."""
    claims = content() if claims is None else claims
    header = _header(key, _TYP) if header is None else header
    parts = {
        "tag": b"\xd2",
        "array": b"\x84",
        "protected": bstr(header),
        "unprotected": b"\xa0",
        "payload": bstr(claims),
        "signature": b"\x58\x40" + raw_signature(*key.sign(sig_structure(header, claims))),
        "end": b"",
    }
    assert changed.keys() <= parts.keys()
    return b"".join((parts | changed).values())


def cases() -> Iterator[dict[str, Any]]:
    """All cases of the family."""
    two = {str(i): status for i, status in enumerate((1, 2, 0, 3, 0, 1, 0, 1, 1, 2, 3, 3))} | {"12": None}
    yield _case(
        "accept", "the draft's example with two bits; an index behind the end has no status", status_list(), two
    )
    for bits, array, statuses in (
        (1, "b9a3", (1, 0, 0, 1, 1, 1, 0, 1, 1, 1, 0, 0, 0, 1, 0, 1)),
        (4, "21f0", (1, 2, 0, 15)),
        (8, "0102ff", (1, 2, 255)),
    ):
        expect = {str(i): status for i, status in enumerate(statuses)} | {str(len(statuses)): None}
        data = status_list(content(list=list_of(bits, compressed(bytes.fromhex(array)))))
        yield _case(f"accept-{bits}-bits", f"a list of {bits} bits an entry", data, expect)
    yield _case("accept-compressed", "a list that zlib has made shorter",
                status_list(content(list=list_of(2, bytes.fromhex("78da3be9f2130003df0207")))), two)  # fmt: skip
    yield _case("accept-window", "a distance that is above the window which zlib's header states: it bounds nothing",
                status_list(content(list=list_of(8, far()))), {"0": 2, "299": 0, "300": 2, "557": 0, "558": None})  # fmt: skip
    for size in (255, 256):  # the longest whose length is one byte, and one more
        lists = (content(list=list_of(2, compressed(BITS + bytes(more)))) for more in range(size))
        claims = next(claims for claims in lists if len(claims) == size)
        yield _case(f"accept-payload-{size}", f"a payload of {size} bytes", status_list(claims), {"0": 1, "11": 3})
    yield _case(
        "bound-rounded", "room for 15 entries of two bits is room for 3 whole bytes", status_list(), two, max_entries=15
    )
    yield _case("expired", "a list behind its end is read: its end is judged at each use",
                status_list(content(iat=b"\x06" + uint(IAT - 9000), exp=b"\x04" + uint(IAT - 5400))), two)  # fmt: skip
    yield _case("index-large", "an index of 2^32 - 1 is behind the end", status_list(), {"0": 1, str(2**32 - 1): None})
    yield _case("bound-equal", "as many entries as there is room for", status_list(), two, max_entries=12)
    yield _case("bound-above", "one more, when inflated", status_list(), None, max_entries=11)
    yield _case("bomb", "65,536 bytes out of 84", status_list(content(list=list_of(8, BOMB))), None,
                max_entries=1 << 15)  # fmt: skip

    for name, why, data in (
        ("unknown-key", "a key that is not in the ring", status_list(key=STRANGER)),
        ("token-key", "a key for tokens", status_list(key=KEY_A)),
        ("signature", "a signature that is not good", status_list(signature=b"\x58\x40" + bytes(64))),
        ("tampered", "an entry was changed after signing",
         status_list(payload=bstr(content(list=list_of(2, compressed(bytes(3))))))),
        ("token", "a token, shown as a list", token()),
        ("token-signed", "a token of the key for lists", token(key=LIST_KEY)),
        ("no-type", "no type in the header", status_list(header=_header(LIST_KEY, b"")[:1].replace(b"\xa3", b"\xa2")
                                                         + _header(LIST_KEY, b"")[1:])),
        ("other-type", "the type of a list in JWT form",
         status_list(header=_header(LIST_KEY, b"\x10" + tstr("application/statuslist+jwt")))),
        ("unprotected", "something in the unprotected header", status_list(unprotected=b"\xa1\x04\x41\x31")),
        ("no-tag", "no tag", status_list(tag=b"")),
        ("trailing", "a byte after the list", status_list(end=b"\0")),
        ("payload-length", "the payload's length in four bytes",
         status_list(payload=b"\x5a" + len(content()).to_bytes(4, "big") + content())),
        ("empty", "nothing at all", b""),
        ("other-uri", "the list of another address", status_list(content(sub=b"\x02" + tstr(URI + "0")))),
        ("no-uri", "no address", status_list(content(map=b"\xa4", sub=b""))),
        ("no-exp", "no end", status_list(content(map=b"\xa4", exp=b""))),
        ("no-ttl", "no time to live", status_list(content(map=b"\xa4", ttl=b""))),
        ("ttl-0", "a time to live of 0", status_list(content(ttl=b"\x19\xff\xfe\x00"))),
        ("exp-iat", "an end that is not after the issue", status_list(content(exp=b"\x04" + uint(IAT)))),
        ("iat-text", "a time as text", status_list(content(iat=b"\x06" + tstr("1800000000")))),
        ("iat-true", "a time that is true", status_list(content(iat=b"\x06\xf5"))),
        ("iat-long", "a time in eight bytes: not deterministically encoded", status_list(content(iat=b"\x06" + uint(IAT, 8)))),
        ("future", "a list from the future", status_list(content(iat=b"\x06" + uint(IAT + 71), exp=b"\x04" + uint(EXP + 71)))),
        ("unknown-label", "another claim", status_list(content(map=b"\xa6", end=b"\x19\xff\xff\x00"))),
        ("map-order", "claims in another order", status_list(content(sub=b"\x04" + uint(EXP), exp=b"\x02" + tstr(URI)))),
        ("bits-3", "3 bits an entry", status_list(content(list=list_of(3)))),
        ("bits-0", "0 bits an entry", status_list(content(list=list_of(0)))),
        ("bits-16", "16 bits an entry", status_list(content(list=list_of(16)))),
        ("bits-true", "bits that are true, where one bit would be meant",
         status_list(content(list=b"\xa2" + tstr("lst") + bstr(compressed()) + tstr("bits") + b"\xf5"))),
        ("list-order", "bits before lst, as the draft's examples have it: not deterministically encoded",
         status_list(content(list=b"\xa2" + tstr("bits") + b"\x02" + tstr("lst") + bstr(compressed())))),
        ("list-text", "the list as base64 text",
         status_list(content(list=b"\xa2" + tstr("lst") + tstr("eNo76fITAAPfAgc") + tstr("bits") + b"\x02"))),
        ("list-more", "an aggregation address beside the list",
         status_list(content(list=b"\xa3" + list_of(2)[1:] + tstr("aggregation_uri") + tstr(URI)))),
        ("list-empty", "a list without entries", status_list(content(list=list_of(2, compressed(b""))))),
        ("zlib-cut", "zlib without its checksum", status_list(content(list=list_of(2, compressed()[:-4])))),
        ("zlib-checksum", "a wrong checksum of zlib", status_list(content(list=list_of(2, compressed()[:-1] + b"\0")))),
        ("zlib-trailing", "bytes after zlib's end", status_list(content(list=list_of(2, compressed() + b"\0")))),
        ("zlib-window-65536", "a window that zlib does not have", status_list(content(list=list_of(2, b"\x88\x1c" + compressed()[2:])))),
        ("zlib-dictionary", "zlib with a preset dictionary, even if it is the empty one",
         status_list(content(list=list_of(2, b"\x78\x20\x00\x00\x00\x01" + compressed()[2:])))),
        ("zlib-raw", "deflate without zlib's frame", status_list(content(list=list_of(2, compressed()[2:-4])))),
        ("no-cbor", "no CBOR", status_list(b"\xff" * 30)),
    ):  # fmt: skip
        yield _case(name, why, data, None)
    withdrawn = LIST_KEY.jwk(yb_use="status", yb_withdrawn_since=IAT)
    yield _case(
        "key-withdrawn", "a key that was withdrawn before the list was issued", status_list(), None, key=withdrawn
    )
    later = LIST_KEY.jwk(yb_use="status", nbf=IAT + 1)
    yield _case("key-period", "a key that was not in force yet", status_list(), None, key=later)
    for name, why, changed, expect in (
        ("key-period-first", "the first second of the key", {"nbf": IAT}, two),
        ("key-period-last", "the last second of the key", {"exp": IAT + 1}, two),
        ("key-period-over", "a second later", {"exp": IAT}, None),
        ("key-withdrawn-later", "a key that was withdrawn after the list was issued", {"yb_withdrawn_since": IAT + 1}, two),
    ):  # fmt: skip
        yield _case(name, why, status_list(), expect, key=LIST_KEY.jwk(yb_use="status", **changed))
    long = content(list=list_of(8, compressed(bytes(299) + b"\x02")))
    yield _case("accept-long", "a payload of more than 255 bytes, whose length takes two", status_list(long),
                {"0": 0, "299": 2, "300": None})  # fmt: skip
    yield _case("long-payload-length", "the same with its length in four",
                status_list(long, payload=b"\x5a" + len(long).to_bytes(4, "big") + long), None)  # fmt: skip
    huge = content(list=list_of(8, compressed(bytes(69_999) + b"\x01")))
    yield _case("accept-huge", "a payload of more than 65,535 bytes, whose length takes four", status_list(huge),
                {"0": 0, "69999": 1, "70000": None})  # fmt: skip
    yield _case("future-skew", "a list from the future, within the skew",
                status_list(content(iat=b"\x06" + uint(IAT + 70), exp=b"\x04" + uint(EXP + 70))), two)  # fmt: skip


def _case(
    name: str, why: str, data: bytes, expect: dict[str, int | None] | None, *, key: dict[str, Any] | None = None,
    max_entries: int = 1 << 20,
) -> dict[str, Any]:  # fmt: skip
    return {
        "id": f"statuslist/{name}",
        "why": why,
        "list": data.hex(),
        "jwks": {"keys": [LIST_KEY.jwk(yb_use="status") if key is None else key]},
        "uri": URI,
        "now": IAT + 60,
        "skew": 10,
        "max_entries": max_entries,
        "expect": expect,
    }
