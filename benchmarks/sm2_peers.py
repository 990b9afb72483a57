"""SM2 packages of PyPI as benchmark peers, each used as its documentation says. A missing package is left out.

A peer is made from a public point (65 bytes) and a private scalar (32 bytes), prepares once what it can, and verifies
raw signatures over messages with the default user id. Signing is measured if the package makes its own nonces.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from typing import NamedTuple

from ybtoken.keys._der import der_from_raw, raw_from_der
from ybtoken.keys._pem import pem_from_der
from ybtoken.keys._sm2.curve import spki_from_point

USER_ID = b"1234567812345678"


class Peer(NamedTuple):
    name: str
    verify: Callable[[bytes, bytes], bool]
    sign: Callable[[bytes], bytes] | None


def _gmssl(point: bytes, scalar: bytes) -> Peer:
    from gmssl import sm2

    # The key is given without its 04, because the package damages one key in eight that has it.
    key = sm2.CryptSM2(private_key=scalar.hex(), public_key=point[1:].hex())
    return Peer(
        "gmssl",
        lambda message, signature: key.verify_with_sm3(signature.hex(), message),
        lambda message: bytes.fromhex(key.sign_with_sm3(message)),
    )


def _gmalg(point: bytes, scalar: bytes) -> Peer:
    from gmalg import SM2

    key = SM2(scalar, USER_ID, point)
    return Peer(
        "gmalg",
        lambda message, signature: key.verify(message, signature[:32], signature[32:]),
        lambda message: b"".join(key.sign(message)),
    )


def _gmalglib(point: bytes, scalar: bytes) -> Peer:
    from gmalglib.sm2 import SM2

    key = SM2(scalar, point, USER_ID)
    return Peer("gmalglib", key.verify, key.sign)


def _gmssl_pyx(point: bytes, scalar: bytes) -> Peer:
    import gmssl_pyx

    return Peer(
        "gmssl_pyx",
        lambda message, signature: gmssl_pyx.sm2_verify(point[1:], message, der_from_raw(signature)),
        lambda message: raw_from_der(gmssl_pyx.sm2_sign(scalar, point[1:], message)),
    )


def _gmssl_fast(point: bytes, scalar: bytes) -> Peer:
    from gmssl_fast import SM2

    key = SM2(private_key=scalar.hex(), public_key=point.hex())
    return Peer("gmssl-fast", key.verify, key.sign)


def _tongsuopy(point: bytes, scalar: bytes) -> Peer:
    from tongsuopy.crypto import hashes, serialization
    from tongsuopy.crypto.asymciphers import ec
    from tongsuopy.crypto.exceptions import InvalidSignature

    public = serialization.load_pem_public_key(pem_from_der("PUBLIC KEY", spki_from_point(point)))
    private = ec.derive_private_key(int.from_bytes(scalar, "big"), ec.SM2())
    algorithm = ec.ECDSA(hashes.SM3())

    def verify(message: bytes, signature: bytes) -> bool:
        try:
            public.verify(der_from_raw(signature), message, algorithm)
        except InvalidSignature:
            return False
        return True

    return Peer("tongsuopy-crayon", verify, lambda message: raw_from_der(private.sign(message, algorithm)))


def _easy_gmssl(point: bytes, scalar: bytes) -> Peer:
    from easy_gmssl.easy_sm2_sign_key import EasySM2VerifyKey, SignatureMode

    pem = tempfile.NamedTemporaryFile(suffix=".pem")  # noqa: SIM115 - lives as long as the peer
    pem.write(pem_from_der("PUBLIC KEY", spki_from_point(point)))
    pem.flush()

    def verify(message: bytes, signature: bytes) -> bool:  # a key object is good for one message
        key = EasySM2VerifyKey(USER_ID.decode(), pem.name)
        key.UpdateData(message)
        return bool(key.VerifySignature(signature, SignatureMode.RS))

    return Peer("easy_gmssl", verify, None)


_MAKERS: list[Callable[[bytes, bytes], Peer]] = [
    _gmssl, _gmalg, _gmalglib, _gmssl_pyx, _gmssl_fast, _tongsuopy, _easy_gmssl,
]  # fmt: skip


def peers(point: bytes, scalar: bytes, message: bytes, signature: bytes) -> tuple[list[Peer], list[str]]:
    """The installed peers that accept a good signature, and for each other a line that says why it is left out."""
    present: list[Peer] = []
    absent: list[str] = []
    for make in _MAKERS:
        name = make.__name__[1:]
        try:
            peer = make(point, scalar)
            good = peer.verify(message, signature)
        except ImportError as error:
            absent.append(f"{name}: not here ({error})")
        except Exception as error:  # the others are measured even if a peer fails
            absent.append(f"{name}: {type(error).__name__}: {error}")
        else:
            if good:
                present.append(peer)
            else:
                absent.append(f"{name}: refuses a good signature")
    return present, absent
