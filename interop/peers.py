"""COSE libraries of others for Python: they read our tokens, and make tokens for us to read.

It reads one JSON document from standard input and writes one to standard output; see `README.md`. It runs in the
environment of `requirements.txt` and uses nothing of this package, so everything that it reads was read by the peer.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

import cbor2
import cwt
from pycose.headers import KID, Algorithm
from pycose.keys import EC2Key
from pycose.keys.curves import P256
from pycose.messages import Sign1Message

EXP, IAT, CTI, VOUCHER = 4, 6, 7, -65537


class PythonCwt:
    """python-cwt: checks signature and expiry."""

    def __init__(self, key: dict[str, bytes]) -> None:
        public = {1: 2, -1: 1, -2: key["x"], -3: key["y"], 2: key["kid"], 3: -7}
        self._reader = cwt.COSEKey.new(public)
        self._writer = cwt.COSEKey.new({**public, -4: key["d"]})
        self._kid = key["kid"]

    def read(self, token: bytes) -> dict[int, Any]:
        """Verify a token; returns its claims."""
        claims = dict(cwt.decode(token, self._reader))
        named = cwt.Claims.new(claims)
        return claims | {EXP: named.exp, IAT: named.iat}  # as the library names them

    @staticmethod
    def open(data: bytes, x: bytes, y: bytes, kid: bytes) -> bytes:
        """Verify any COSE_Sign1 signed by a P-256 key, which has a kid if the header has one; returns its payload."""
        key = {1: 2, -1: 1, -2: x, -3: y, 3: -7} | ({2: kid} if kid else {})
        return bytes(cwt.COSE.new().decode(data, cwt.COSEKey.new(key)))

    def make(self, claims: dict[int, Any]) -> bytes:
        """Make a token of our profile."""
        return cwt.COSE.new().encode(cbor2.dumps(claims), self._writer, protected={1: -7, 4: self._kid}, unprotected={})


class PyCose:
    """pycose: checks the signature, and leaves the claims to its user."""

    def __init__(self, key: dict[str, bytes]) -> None:
        self._reader = EC2Key(crv=P256, x=key["x"], y=key["y"])
        self._writer = EC2Key(crv=P256, x=key["x"], y=key["y"], d=key["d"])
        self._kid = key["kid"]

    def read(self, token: bytes) -> dict[int, Any]:
        """Verify a token; returns its claims."""
        message = Sign1Message.decode(token)
        message.key = self._reader
        if message.phdr[KID] != self._kid or not message.verify_signature():
            raise ValueError("the signature is not good")
        return dict(cbor2.loads(message.payload))

    @staticmethod
    def open(data: bytes, x: bytes, y: bytes, kid: bytes) -> bytes:
        """Verify any COSE_Sign1 signed by a P-256 key; returns its payload."""
        message = Sign1Message.decode(data)
        message.key = EC2Key(crv=P256, x=x, y=y)
        if not message.verify_signature():
            raise ValueError("the signature is not good")
        return bytes(message.payload)

    def make(self, claims: dict[int, Any]) -> bytes:
        """Make a token of our profile."""
        message = Sign1Message(phdr={Algorithm: "ES256", KID: self._kid}, payload=cbor2.dumps(claims))
        message.key = self._writer
        return bytes(message.encode())


def attempt(read: Callable[[bytes], dict[int, Any]], token: bytes) -> dict[str, Any]:
    """What a peer read from a token, or why it refused the token."""
    try:
        claims = read(token)
        profile, identity_ref, city, *extras = claims[VOUCHER]
    except Exception as error:  # any exception of a peer is a refusal
        return {"refused": f"{type(error).__name__}: {error}"}
    read_extras = {
        str(label): value.hex() if isinstance(value, bytes) else value
        for part in extras
        for label, value in part.items()
    }
    return {
        "exp": claims[EXP],
        "iat": claims[IAT],
        "cti": claims[CTI].hex(),
        "voucher": [profile, identity_ref.hex(), city, read_extras],
    }


def main() -> None:
    """Answer one request."""
    request = json.load(sys.stdin)
    key = {name: bytes.fromhex(value) for name, value in request["key"].items()}
    claims = {
        name: {
            EXP: stated["exp"],
            IAT: stated["iat"],
            CTI: bytes.fromhex(stated["cti"]),
            VOUCHER: [stated["profile"], bytes.fromhex(stated["identity_ref"]), stated["city"]],
        }
        for name, stated in request["make"].items()
    }
    answer = {}
    for name, peer in (("python-cwt", PythonCwt(key)), ("pycose", PyCose(key))):
        answer[name] = {
            "read": {which: attempt(peer.read, bytes.fromhex(token)) for which, token in request["read"].items()},
            "opened": {
                which: peer.open(*(bytes.fromhex(stated[part]) for part in ("data", "x", "y", "kid"))).hex()
                for which, stated in request["open"].items()
            },
            "made": {which: peer.make(stated).hex() for which, stated in claims.items()},
        }
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main()
