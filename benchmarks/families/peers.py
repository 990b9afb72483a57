"""Libraries that a Python user could choose instead, in the same run, with the same claims, signature and expiry check.

Every peer has a P-256 key that was parsed beforehand, and does what its documentation says for "verify this token and
its expiry". If a library leaves the expiry to its user, it is checked here. The signature is over the same claims:
times, a nonce of 8 bytes, an identity reference of 16 bytes, the insured place. Peers whose tokens are bytes get bytes;
decoding a text from the QR code (base45) would come on top. Checks that a peer does not make at all (one encoding of
each token, issuer scopes) are not added to it.

PASETO has no P-256, so pyseto is measured with version 4, Ed25519, and compared with the same bare P-256 verification.
"""

from __future__ import annotations

import base64
import json
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass

import cbor2
import cwt
import joserfc.jwk
import joserfc.jwt
import jwt
import pyseto
import segno
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from jose import jwk as jose_jwk
from jose import jwt as jose_jwt
from pycose.headers import KID, Algorithm
from pycose.keys import EC2Key
from pycose.keys.curves import P256
from pycose.messages import Sign1Message

from benchmarks.measure import Bench, Row
from benchmarks.samples import CITY, IDENTITY_REF, P256Sample
from ybtoken.wire.text import encode_text

_ECDSA = ec.ECDSA(hashes.SHA256())
_BASE45 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"


@dataclass
class Peer:
    """A peer's token, and a call that verifies it."""

    size: int
    qr_text: str
    verify: Callable[[], object]
    note: str = ""

    @property
    def qr_version(self) -> int:
        """The version of the symbol that holds the token, error correction level M, in its densest mode."""
        return int(segno.make_qr(self.qr_text, error="m", boost_error=False).version)


def base45(data: bytes) -> str:
    """RFC 9285, the encoding in which tokens of bytes are put into QR codes."""
    text = []
    for i in range(0, len(data), 2):
        pair = data[i : i + 2]
        number, digits = int.from_bytes(pair, "big"), len(pair) + 1
        text += [_BASE45[number // 45**place % 45] for place in range(digits)]
    return "".join(text)


def run(bench: Bench) -> None:
    """Measure the family."""
    sample = P256Sample()
    private, public = sample.private_key, sample.private_key.public_key()
    issued_at = int(time.time())  # the peers read the real clock
    json_claims = {
        "exp": issued_at + 3600,
        "iat": issued_at,
        "jti": base64.urlsafe_b64encode(bytes(range(8))).rstrip(b"=").decode(),
        "ref": base64.urlsafe_b64encode(IDENTITY_REF).rstrip(b"=").decode(),
        "city": CITY,
    }
    cbor_claims = {4: issued_at + 3600, 6: issued_at, 7: bytes(range(8)), -65537: [1, IDENTITY_REF, int(CITY)]}
    peers = {
        "pyjwt": _pyjwt(private, public, json_claims),
        "joserfc": _joserfc(private, public, json_claims),
        "python-jose": _python_jose(private, public, json_claims),
        "python-cwt": _python_cwt(private, public, cbor_claims),
        "pycose": _pycose(private, cbor_claims, sample.key.kid),
        "pyseto": _pyseto(json_claims),
        "hand-packed": _hand_packed(private, public, issued_at),
    }
    ratios = {}
    for name, peer in peers.items():
        # Only two calls take turns, as for our own: a third that does much would empty the caches of the others.
        times = bench.take({"bare": sample.bare, name: peer.verify}, rounds=2500)
        ratios[name], noise = times.ratio("bare", name)
        facts = {"token_bytes": peer.size, "qr_version": peer.qr_version}
        bench.row(
            Row(f"peer.{name}.verify_vs_bare", ratios[name], "ratio", "higher", noise, note=peer.note, facts=facts)
        )
    best = max((name for name in peers if name != "hand-packed"), key=ratios.__getitem__)
    times = bench.take({"ybtoken": sample.verify, best: peers[best].verify}, rounds=2500)
    ratio, noise = times.ratio(best, "ybtoken")
    bench.row(Row("p256.serial.verify_vs_best_peer", ratio, "ratio", "higher", noise, "> 1", note=f"the best: {best}"))


Public = ec.EllipticCurvePublicKey
Private = ec.EllipticCurvePrivateKey


def _pem(private: Private | ed25519.Ed25519PrivateKey) -> bytes:
    return private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _public_pem(public: Public | ed25519.Ed25519PublicKey) -> bytes:
    return public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def _pyjwt(private: Private, public: Public, claims: dict[str, object]) -> Peer:
    token = jwt.encode(claims, private, algorithm="ES256")
    return Peer(len(token), token, lambda: jwt.decode(token, public, algorithms=["ES256"]))


def _joserfc(private: Private, public: Public, claims: dict[str, object]) -> Peer:
    key = joserfc.jwk.ECKey.import_key(_public_pem(public))
    token = joserfc.jwt.encode({"alg": "ES256"}, claims, joserfc.jwk.ECKey.import_key(_pem(private)))
    registry = joserfc.jwt.JWTClaimsRegistry()

    def verify() -> None:
        registry.validate(joserfc.jwt.decode(token, key, algorithms=["ES256"]).claims)

    return Peer(len(token), token, verify)


def _python_jose(private: Private, public: Public, claims: dict[str, object]) -> Peer:
    token = jose_jwt.encode(claims, _pem(private).decode(), algorithm="ES256")
    key = jose_jwk.construct(_public_pem(public).decode(), "ES256")
    return Peer(len(token), token, lambda: jose_jwt.decode(token, key, algorithms=["ES256"]))


def _python_cwt(private: Private, public: Public, claims: dict[int, object]) -> Peer:
    kid = bytes(8)
    reader = cwt.COSEKey.from_pem(_public_pem(public), kid=kid, alg="ES256")
    writer = cwt.COSEKey.from_pem(_pem(private), kid=kid, alg="ES256")
    token = cwt.encode(claims, writer)
    return Peer(len(token), base45(token), lambda: cwt.decode(token, reader))


def _pycose(private: Private, claims: dict[int, object], kid: bytes) -> Peer:
    numbers = private.private_numbers()
    point = numbers.public_numbers
    x, y, d = (number.to_bytes(32, "big") for number in (point.x, point.y, numbers.private_value))
    message = Sign1Message(phdr={Algorithm: "ES256", KID: kid}, payload=cbor2.dumps(claims))
    message.key = EC2Key(crv=P256, x=x, y=y, d=d)
    token = message.encode()
    key = EC2Key(crv=P256, x=x, y=y)

    def verify() -> dict[int, object]:
        message = Sign1Message.decode(token)
        message.key = key
        if not message.verify_signature():
            raise ValueError("signature")
        found: dict[int, int] = cbor2.loads(message.payload)
        if found[4] <= time.time():
            raise ValueError("expired")
        return dict(found)

    return Peer(len(token), base45(token), verify, "expiry compared by its user")


def _pyseto(claims: dict[str, object]) -> Peer:
    private = ed25519.Ed25519PrivateKey.generate()
    moments = {name: time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(claims[name])) for name in ("exp", "iat")}  # type: ignore[arg-type]
    token = pyseto.encode(pyseto.Key.new(4, "public", _pem(private)), claims | moments).decode()
    key = pyseto.Key.new(4, "public", _public_pem(private.public_key()))
    return Peer(len(token), token, lambda: pyseto.decode(key, token, deserializer=json), "Ed25519: it has no P-256")


def _hand_packed(private: Private, public: Public, issued_at: int) -> Peer:
    claims = struct.Struct(">II8s16sI")
    body = claims.pack(issued_at + 3600, issued_at, bytes(range(8)), IDENTITY_REF, int(CITY))
    r, s = decode_dss_signature(private.sign(body, _ECDSA))
    token = body + r.to_bytes(32, "big") + s.to_bytes(32, "big")

    def verify() -> tuple[object, ...]:
        body, r, s = token[:36], int.from_bytes(token[36:68], "big"), int.from_bytes(token[68:], "big")
        public.verify(encode_dss_signature(r, s), body, _ECDSA)
        found = claims.unpack(body)
        if found[0] <= time.time():
            raise ValueError("expired")
        return found

    return Peer(
        len(token), encode_text(1, token), verify, "no kid, no version, no library: the floor of what is possible"
    )
