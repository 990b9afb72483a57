"""The serial engine with P-256, compared with the bare verification; and its parts."""

from __future__ import annotations

from benchmarks.measure import Bench, Row
from benchmarks.samples import CITY, IDENTITY_REF, P256Sample
from ybtoken.wire.envelope import cut_envelope
from ybtoken.wire.parse import parse_claims
from ybtoken.wire.text import decode_text, encode_text

MANY = 16  # so few that a measurement often escapes the disturbances of a shared machine


def run(bench: Bench) -> None:
    """Measure the family."""
    sample = P256Sample()
    text, data = sample.token.text, sample.token.data
    _, signed, _ = cut_envelope(data)
    texts = [text] * MANY
    times = bench.take({"bare": sample.bare, "verify": sample.verify}, rounds=20_000)
    parts = bench.take(
        {
            "sign": sample.bare_signature,
            "issue": lambda: sample.issuer.issue(IDENTITY_REF, CITY),
            "decode": lambda: decode_text(text),
            "encode": lambda: encode_text(1, data),
            "cut": lambda: cut_envelope(data),
            "claims": lambda: parse_claims(signed),
        },
        rounds=2500,
    )
    facts = {"token_bytes": len(data), "qr_version": sample.token.qr.version}
    ratio, noise = times.ratio("bare", "verify")
    bench.row(Row("p256.serial.verify_vs_bare", ratio, "ratio", "higher", noise, ">= 0.85", facts=facts))
    bench.row(Row("p256.bare.verify_per_s", 1 / times.seconds("bare"), "1/s", "higher"))
    bench.row(Row("p256.serial.verify_per_s", 1 / times.seconds("verify"), "1/s", "higher"))
    bench.row(Row("p256.serial.issue_per_s", 1 / parts.seconds("issue"), "1/s", "higher"))
    ratio, noise = parts.ratio("sign", "issue")
    bench.row(Row("p256.serial.issue_vs_bare_signature", ratio, "ratio", "higher", noise))
    many = bench.take({"many": lambda: sample.verifier.verify_many(texts)}, rounds=500)
    bench.row(Row("p256.serial.verify_many_per_s", MANY / many.seconds("many"), "1/s", "higher"))
    for name, part in (
        ("text.decode_us", "decode"),
        ("text.encode_us", "encode"),
        ("envelope.cut_us", "cut"),
        ("claims.parse_us", "claims"),
    ):
        bench.row(Row(name, parts.seconds(part) * 1e6, "us", "lower"))
