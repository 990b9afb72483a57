"""Recorded scans, good and bad, and their verdicts one by one."""

from __future__ import annotations

import os
import random
from importlib.util import find_spec
from typing import Any

import pyarrow as pa
import pytest

from ybtoken import Issuer, KeyEntry, KeyRing, Scope
from ybtoken.bulk.table import BulkVerifier
from ybtoken.keys.keyset import dump_jwks
from ybtoken.keys.p256 import P256SigningKey

NOON = 1_800_000_000 // 86_400 * 86_400 + 4 * 3600  # noon in China
KEYS = [P256SigningKey.generate(), P256SigningKey.generate()]
RING = KeyRing(
    [KeyEntry(KEYS[0].verifying_key, "Zhejiang", Scope(("33",))), KeyEntry(KEYS[1].verifying_key, "Jiangsu")]
)
KEY_SET = dump_jwks(RING)

each_engine = pytest.mark.parametrize(
    "native",
    [
        False,
        pytest.param(
            True, marks=pytest.mark.skipif(find_spec("ybtoken_native") is None, reason="the native engine is not here")
        ),
    ],
    ids=["serial", "native"],
)


def verifier(**settings: Any) -> BulkVerifier:
    return BulkVerifier(key_set=KEY_SET, **settings)


def good_texts(count: int, at: int = NOON) -> list[str]:
    """Texts of Zhejiang that are accepted from ``at`` on."""
    issuer = Issuer(KEYS[0])
    return [issuer.issue(os.urandom(16), "330100", now=at).text for _ in range(count)]


def scans(rows: int = 300, seed: int = 1, nonce_sizes: int = 9) -> pa.Table:
    """Good and bad scans: late, altered, of unknown keys, out of scope, with and without optional claims.

    Their nonces have so many different sizes, from 8 bytes on.
    """
    chance = random.Random(seed)
    texts, times = [], []
    for i in range(rows):
        at = NOON + chance.randrange(-4 * 3600, 4 * 3600)
        key = P256SigningKey.generate() if i % 31 == 0 else KEYS[i % 2]
        extras = {"purpose": "01301", "channel": 7, "assurance": 3, "presenter": bytes(16), "status_index": i}
        issuer = Issuer(key, random=lambda size, i=i: os.urandom(8 + i % nonce_sizes))
        text = issuer.issue(
            chance.randbytes(16), chance.choice(["330100", "320500", "110000"]), now=at, **(extras if i % 3 else {})
        ).text
        if i % 17 == 0:
            text = text[:60] + str((int(text[60]) + 1) % 10) + text[61:]
        texts.append("" if i % 53 == 0 else text)
        times.append(at + chance.choice([0, 30, 69, 70, -10, -11, 5000]))
    return pa.table({"text": texts, "scanned_at": times, "office": [f"office {i % 5}" for i in range(rows)]})


def codes_of(found: pa.Table) -> list[str]:
    return list(found["verdict_code"].to_pylist())
