"""SM2 and SM3 vectors from elsewhere, as plain tuples; see ``shared/vectors/INDEX.md`` for their origins."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from ybtoken.keys._der import raw_from_der

ROOT = Path(os.environ.get("YBTOKEN_VECTORS", Path(__file__).parents[2] / "../shared/vectors"))
needs_vectors = pytest.mark.skipif(not ROOT.is_dir(), reason=f"no external vectors at {ROOT}")


class Case(NamedTuple):
    name: str
    point: bytes
    user_id: bytes
    message: bytes
    signature: bytes
    valid: bool


class DigestCase(NamedTuple):
    name: str
    point: bytes
    digest: bytes
    signature: bytes
    valid: bool


def read(name: str) -> list[dict[str, Any]]:
    path = ROOT / name
    return json.loads(path.read_text())["tests"] if path.exists() else []


def _name(row: dict[str, Any]) -> str:
    return str(row.get("id") or row["origin"])


def _signature(row: dict[str, Any]) -> bytes:
    if "sig_raw_hex" in row:
        return bytes.fromhex(row["sig_raw_hex"])
    return raw_from_der(bytes.fromhex(row["sig_der_hex"]))


SIGNATURE_FILES = (
    "sm2/sm2_kat.json",
    "sm2/sm2_from_certificates.json",
    "sm2/openhitls_sm2_verify.json",
    "edge/sm2_za_message.json",
    "edge/sm2_edge_digest.json",
)


def message_cases() -> list[Case]:
    """Every row that states a message and a user id."""
    return [
        Case(_name(row), *(bytes.fromhex(row[key]) for key in _FIELDS), _signature(row), row["valid"])
        for file in SIGNATURE_FILES
        for row in read(file)
        if row.get("id_hex")
    ]


_FIELDS = ("pub_hex", "id_hex", "msg_hex")


def digest_cases() -> list[DigestCase]:
    """Every row that states e itself."""
    return [
        DigestCase(
            _name(row),
            bytes.fromhex(row["pub_hex"]),
            bytes.fromhex(row["digest_hex"]),
            _signature(row),
            row["valid"],
        )
        for file in SIGNATURE_FILES
        for row in read(file)
        if "digest_hex" in row
    ]


def sm3_cases() -> list[tuple[bytes, bytes]]:
    """Message and SM3 digest of every row of the four SM3 files that states both."""
    patterns = {
        "sm3/botan_sm3.vec": r"^In = ([0-9A-Fa-f]*)\nOut = ([0-9A-Fa-f]{64})",
        "sm3/oscca.txt": r"^Len = \d+\nMsg = ([0-9a-f]*)\nMD = ([0-9a-f]{64})",
        "sm3/tongsuo_evpmd_sm3.txt": r"^Digest = SM3\nInput = ([0-9A-F]*)\nOutput = ([0-9A-Fa-f]{64})",
        "sm3/openhitls_sm3.data": r'FUNC_TC002:"([0-9A-F]*)":"([0-9A-Fa-f]{64})"',
    }
    found = []
    for name, pattern in patterns.items():
        path = ROOT / name
        for message, digest in re.findall(pattern, path.read_text() if path.exists() else "", re.MULTILINE):
            empty = name.endswith("oscca.txt") and "Len = 0\nMsg = 00\n" in path.read_text() and message == "00"
            found.append((b"" if empty else bytes.fromhex(message), bytes.fromhex(digest)))
    return found
