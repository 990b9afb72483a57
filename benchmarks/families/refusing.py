"""The cost of refusing compared with accepting: no input can slow a verifier down.

Every class of refusal is measured with inputs that get as far as they can, and with texts that are long, odd or large.
"""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.measure import Bench, Row
from benchmarks.samples import CITY, IDENTITY_REF, NOW, P256Sample
from ybtoken import Issuer, KeyEntry, KeyRing, MemoryReplayGuard, Scope, TokenError, Verifier
from ybtoken.keys.p256 import P256SigningKey
from ybtoken.policy import Channel, InsuredPlace, MaximumAge, MinimumAssurance, Policy, Purpose
from ybtoken.wire.envelope import encode_envelope
from ybtoken.wire.text import MAX_TEXT, encode_text

_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_LONGEST_PAYLOAD = 238  # the longest that fits a text of MAX_TEXT digits with its header and signature


def run(bench: Bench) -> None:
    """Measure the family."""
    sample = P256Sample()
    inputs = refused_inputs(sample)
    oversize = oversize_inputs(sample)
    calls = {"accepted": sample.verify} | {name: refusing(name, call) for name, call in (inputs | oversize).items()}
    times = bench.take(calls, rounds=1500)
    for name, kinds, target in (("refuse", inputs, "<= 1.2"), ("oversize", oversize, "<= 0.05")):
        worst = max(kinds, key=times.seconds)
        ratio, noise = times.ratio(worst, "accepted")
        note = f"the worst of {len(kinds)}: {worst}"
        bench.row(Row(f"p256.{name}_cost_ratio", ratio, "ratio", "lower", noise, target, note))


def refusing(name: str, call: Callable[[], object]) -> Callable[[], None]:
    """A call that must be refused. The refusal is caught, as in a service."""

    def refused() -> None:
        try:
            call()
        except TokenError:
            return
        raise AssertionError(f"accepted: {name}")

    return refused


def oversize_inputs(sample: P256Sample) -> dict[str, Callable[[], object]]:
    """Texts beyond the size limit."""
    texts = {
        "one digit more": "96" + "0" * (MAX_TEXT - 1),
        "a million digits": "9" * 1_000_000,
        "a million full-width digits": "９" * 1_000_000,
        "a million emoji": "\U0001f4b3" * 1_000_000,
        "a good token many times": sample.token.text * 100,
    }
    return {name: lambda text=text: sample.verifier.verify(text) for name, text in texts.items()}  # type: ignore[misc]


def refused_inputs(sample: P256Sample) -> dict[str, Callable[[], object]]:
    """Bad input of every class, as calls."""
    texts = _bad_texts(sample.token.text) | _bad_tokens(sample)
    calls: dict[str, Callable[[], object]] = {
        name: lambda text=text: sample.verifier.verify(text)  # type: ignore[misc]
        for name, text in texts.items()
    }
    return calls | _bad_circumstances(sample)


def _bad_texts(good: str) -> dict[str, str]:
    fullest = "96" + "0" * (17 * 46 + 10) + "02"  # the longest text that has a possible length
    return {
        "empty": "",
        "letters": "A" * MAX_TEXT,
        "pay code": "28" + "1" * 16,
        "longest, wrong check digits": fullest,
        "longest, groups out of range": "96" + "9" * (len(fullest) - 2),
        "longest, last digit is none": fullest[:-1] + "x",
        "longest, impossible length": "96" + "1" * (MAX_TEXT - 2),
        "full-width digits": "96" + "１" * (MAX_TEXT - 2),
        "Arabic digits": "96" + "٣" * (MAX_TEXT - 2),
        "emoji": "96" + "\U0001f4b3" * (MAX_TEXT - 2),
        "surrogates": "96" + "\ud800" * (MAX_TEXT - 2),
        "zero bytes": "96" + "\0" * (MAX_TEXT - 2),
        "line feed at the end": good + "\n",
        "one digit changed": good[:100] + str(9 - int(good[100])) + good[101:],
        "check digits + 97": good[:-2] + "99",
        "token cut short": good[:-17],
    }


def _bad_tokens(sample: P256Sample) -> dict[str, str]:
    header, key, data = sample.entry.header, sample.key, sample.token.data
    payload, signature = data[19:-66], data[-64:]
    stranger = Issuer(P256SigningKey.generate(), clock=lambda: NOW).issue(IDENTITY_REF, CITY)
    extras = {
        "channel": 65535, "purpose": "03131", "presenter": bytes(16), "assurance": 255, "status_index": 2**32 - 1,
    }  # fmt: skip
    full = sample.issuer.issue(IDENTITY_REF, CITY, **extras).data  # type: ignore[arg-type]

    def token(payload: bytes, signature: bytes) -> str:
        return encode_text(1, encode_envelope(header, payload, signature))

    def signed(payload: bytes) -> str:
        framed = b"\x58" + bytes([len(payload)]) + payload
        return token(payload, key.sign(sample.entry.prefix + framed))

    nearly = full[19:-66]
    signatures = {
        "of another message": key.sign(b"another"),
        "of zeros": bytes(64),
        "of ones": b"\xff" * 64,
        "r and s beyond the order": _ORDER.to_bytes(32, "big") * 2,
        "r = s = 1": (bytes(31) + b"\1") * 2,
        "r = 0": bytes(32) + signature[32:],
    }
    texts = {f"signature {name}": token(payload, bad) for name, bad in signatures.items()}
    texts |= {f"longest, signature {name}": token(bytes(_LONGEST_PAYLOAD), bad) for name, bad in signatures.items()}
    return texts | {
        "no envelope": encode_text(1, b"\xff" * 327),
        "envelope, one byte more": encode_text(1, data + b"\0"),
        "another header": encode_text(1, data[:3] + bytes(13) + data[16:]),
        "unknown key": stranger.text,
        "claims: longest": signed(bytes(_LONGEST_PAYLOAD)),
        "claims: wrong at the first byte": signed(b"\xa5" + payload[1:]),
        "claims: wrong at the last number": signed(payload[:-5] + b"\x1b" + payload[-4:]),
        "claims: all extras, the last too large": signed(nearly[:-5] + b"\x1b" + nearly[-4:]),
        "claims: all extras, one byte more": signed(nearly + b"\0"),
        "claims: cut short": signed(nearly[:-1]),
        "prefix of profile 2": encode_text(2, data, "12345678"),
        "prefix of profile 3": encode_text(3, data),
    }


def _bad_circumstances(sample: P256Sample) -> dict[str, Callable[[], object]]:
    """Good tokens at the wrong time, in the wrong place, of the wrong kind, or for the second time."""
    key, text = sample.key.verifying_key, sample.token.text

    def entry(**limits: int) -> Callable[[], object]:
        verifier = Verifier(KeyRing([KeyEntry(key, "Shanghai", **limits)]), clock=lambda: NOW)  # type: ignore[arg-type]
        return lambda: verifier.verify(text)

    def policy(policy: Policy) -> Callable[[], object]:
        verifier = Verifier(sample.keys, policies=[policy], clock=lambda: NOW + 30)
        return lambda: verifier.verify(text)

    exclusions = tuple(f"{code:06d}" for code in range(310000, 310100, 2))
    elsewhere = Verifier(KeyRing([KeyEntry(key, "Shanghai", Scope(("32",)))]), clock=lambda: NOW)
    punctured = Verifier(KeyRing([KeyEntry(key, "Shanghai", Scope(("3100",), (*exclusions, CITY)))]), clock=lambda: NOW)
    brief = Verifier(sample.keys, max_lifetime=30, clock=lambda: NOW)
    redeemer = Verifier(sample.keys, guard=MemoryReplayGuard(clock=lambda: NOW), clock=lambda: NOW)
    redeemer.redeem(text)
    return {
        "from the future": lambda: sample.verifier.verify(text, now=NOW - 3600),
        "expired": lambda: sample.verifier.verify(text, now=NOW + 3600),
        "valid for too long": lambda: brief.verify(text),
        "key not yet valid": entry(not_before=NOW + 1),
        "key withdrawn": entry(withdrawn_since=NOW - 1),
        "out of scope": lambda: elsewhere.verify(text),
        "excluded from a scope with many exclusions": lambda: punctured.verify(text),
        "policy: place": policy(InsuredPlace(Scope(("32",)))),
        "policy: purpose": policy(Purpose("01101")),
        "policy: channel": policy(Channel(1)),
        "policy: assurance": policy(MinimumAssurance(3)),
        "policy: age": policy(MaximumAge(5)),
        "replayed": lambda: redeemer.redeem(text),
    }
