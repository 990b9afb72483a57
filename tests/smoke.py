"""Run by ``make wheels`` with only the wheel installed: the core works, and optional parts say what they need."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

import ybtoken
from ybtoken.keys.p256 import P256SigningKey


def main() -> None:
    assert Path(ybtoken.__file__).is_relative_to(sys.prefix), f"{ybtoken.__file__} is not the wheel's"
    key = P256SigningKey.generate()
    ring = ybtoken.KeyRing([ybtoken.KeyEntry(key.verifying_key, "smoke")])
    verifier = ybtoken.Verifier(ring, guard=ybtoken.MemoryReplayGuard())
    token = ybtoken.Issuer(key).issue(bytes(16), "330100")
    assert verifier.redeem(token.text).city_code == "330100"
    assert "[redeem.replayed]" in refusal(lambda: verifier.redeem(token.text))
    for module, extra in (("ybtoken.qr", "'ybtoken[qr]'"), ("ybtoken.replay.redis", "'ybtoken[redis]'")):
        assert extra in refusal(lambda module=module: import_module(module))
    script = subprocess.run([Path(sys.prefix) / "bin" / "ybtoken"], capture_output=True, text=True, check=False)
    assert script.returncode == 2, script
    assert "ybtoken[cli]" in script.stderr, script
    print(f"ybtoken {version('ybtoken')} from the wheel: issued, verified, redeemed")


def refusal(act: Callable[[], object]) -> str:
    try:
        act()
    except (ybtoken.TokenError, ModuleNotFoundError) as error:
        return str(error)
    return "nothing was refused"


main()
