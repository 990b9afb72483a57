"""``ybtoken bench``: how fast this machine issues and verifies, beside the bare signature of the same bytes."""

from __future__ import annotations

import json
import platform
import time
from collections.abc import Callable
from typing import Annotated

import typer

from ybtoken.cli.keyfiles import KeyKind, generate_key
from ybtoken.cli.speech import Lang, Speaker, command
from ybtoken.issuer import Issuer
from ybtoken.keys.ring import KeyEntry, KeyRing
from ybtoken.verifier import Verifier
from ybtoken.wire.envelope import cut_envelope

__all__ = ["bench"]

_ROUNDS = 5
_BATCH = 64


@command
def bench(
    kind: Annotated[KeyKind, typer.Option("--alg", help="The algorithm. / 算法。")] = KeyKind.ES256,
    seconds: Annotated[float, typer.Option(min=0.01, help="For each figure. / 每项测量时长。")] = 1.0,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object. / JSON 对象。")] = False,
    lang: Lang = None,
) -> None:
    """Measure this machine, one core."""
    speaker = Speaker(lang)
    key, now = generate_key(kind), int(time.time())
    entry = KeyEntry(key.verifying_key, "bench")
    check: Callable[[bytes, bytes], object] = entry.key.verify
    issuer, verifier = Issuer(key), Verifier(KeyRing([entry]))
    tokens = [issuer.issue(bytes(16), "330100", now=now) for _ in range(_BATCH)]
    texts = [token.text for token in tokens]
    signed = [(entry.prefix + payload, signature) for _, payload, signature in (cut_envelope(t.data) for t in tokens)]
    rates = _rates(
        {
            "sign": lambda: [key.sign(message) for message, _ in signed],
            "issue": lambda: [issuer.issue(bytes(16), "330100", now=now) for _ in texts],
            "verify_signature": lambda: [check(message, signature) for message, signature in signed],
            "verify": lambda: [verifier.verify(text, now=now) for text in texts],
            "verify_many": lambda: verifier.verify_many(texts, now=now),
        },
        seconds,
    )
    bare = {"issue": "sign", "verify": "verify_signature", "verify_many": "verify_signature"}
    if as_json:
        ratios = {f"{name}_vs_bare": round(rates[name] / rates[base], 3) for name, base in bare.items()}
        rounded = {f"{name}_per_s": round(rate) for name, rate in rates.items()}
        typer.echo(json.dumps({"algorithm": kind.algorithm.name, **rounded, **ratios}))
        return
    speaker.say(
        f"{kind.algorithm.name}, Python {platform.python_version()}, one core, tokens of {len(tokens[0].data)} bytes",
        f"{kind.algorithm.name}，Python {platform.python_version()}，单核，凭证 {len(tokens[0].data)} 字节",
    )
    for name, rate in rates.items():
        ratio = f"{rate / rates[bare[name]]:6.2f} x {bare[name]}" if name in bare else ""
        typer.echo(f"{name:<18}{rate:>10,.0f}/s  {ratio}".rstrip())


def _rates(actions: dict[str, Callable[[], object]], seconds: float) -> dict[str, float]:
    """The best rate of each action, in items a second. They take turns, so that other load affects all alike."""
    best = dict.fromkeys(actions, 0.0)
    for _ in range(_ROUNDS):
        for name, action in actions.items():
            count, started = 0, time.perf_counter()
            while (elapsed := time.perf_counter() - started) < seconds / _ROUNDS or not count:
                action()
                count += _BATCH
            best[name] = max(best[name], count / elapsed)
    return best
