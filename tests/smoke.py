"""Run with wheels installed and no checkout: the core works, optional parts work or say what they need."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
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
    for module, needs, extra in (("ybtoken.qr", "segno", "qr"), ("ybtoken.replay.redis", "redis", "redis")):
        refused = refusal(lambda module=module: import_module(module))
        assert refused == "" if find_spec(needs) else f"'ybtoken[{extra}]'" in refused
    folder = Path(sys.prefix) / ("Scripts" if sys.platform == "win32" else "bin")
    program = [folder / "ybtoken", "--version"]
    script = subprocess.run(program, capture_output=True, text=True, encoding="utf-8", check=False)
    has_cli = find_spec("typer") is not None
    assert script.returncode == (0 if has_cli else 2), script
    assert (version("ybtoken") in script.stdout) if has_cli else ("ybtoken[cli]" in script.stderr), script
    done = "issued, verified, redeemed"
    if find_spec("ybtoken_native"):
        from ybtoken.engines.native import NativeEngine

        fast = ybtoken.Verifier(ring, engine=NativeEngine())
        assert fast.verify(token.text).city_code == "330100"
        damaged = token.text[:-1] + str((int(token.text[-1]) + 1) % 10)
        assert refusal(lambda: fast.verify(damaged)) == refusal(lambda: verifier.verify(damaged)) != ""
        done += f", and verified by the engine of ybtoken-native {version('ybtoken-native')}"
    print(f"ybtoken {version('ybtoken')} on Python {sys.version.split()[0]}: {done}")


def refusal(act: Callable[[], object]) -> str:
    try:
        act()
    except (ybtoken.TokenError, ModuleNotFoundError) as error:
        return str(error)
    return ""


main()
