"""The native engine, from text to verdict, in batches of 4096 from 32 issuers: compared with bare verifications of the
same bytes, one at a time and eight at a time; and the cost of junk.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import tracemalloc
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from cryptography.hazmat.primitives.asymmetric import ec

from benchmarks import crypto_mb
from benchmarks.families.sm2 import bare_verify, each
from benchmarks.measure import AbsentError, Bench, Row, Times
from benchmarks.samples import _ECDSA, CITY, IDENTITY_REF, NOW
from ybtoken import Algorithm, Issuer, KeyEntry, KeyRing, Verifier
from ybtoken.algorithms import DEFAULT_USER_ID
from ybtoken.engines.native import NativeEngine
from ybtoken.keys._der import der_from_raw
from ybtoken.keys._sm2.curve import N as SM2_N
from ybtoken.keys.p256 import P256SigningKey
from ybtoken.keys.sm2 import LibcryptoError
from ybtoken.keys.sm2_native import NativeSM2SigningKey
from ybtoken.wire.envelope import cut_envelope, encode_byte_string, encode_envelope
from ybtoken.wire.text import encode_text

BATCH, ISSUERS, BARE, EIGHTS = 4096, 32, 32, 256
COLUMNS = 77
P256_N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
LONGEST_PAYLOAD = 238
"""The longest payload that fits a text of 800 digits with its header and signature."""
AVX2_VS_SCALAR = {"p256": ">= 2.0", "sm2": ">= 2.4"}
VS_BARE = {"p256": ("vs_cryptography", ">= 45"), "sm2": ("vs_openssl", ">= 150")}


class Sample(NamedTuple):
    """The tokens of one algorithm, and the keys that signed them."""

    keys: list[Any]
    ring: KeyRing
    tokens: list[bytes]
    texts: list[str]

    @property
    def entries(self) -> tuple[KeyEntry, ...]:
        """The entry of each issuer; token i is signed by issuer i mod ISSUERS."""
        return self.ring.entries

    def verifier(self, **options: Any) -> Verifier:
        return Verifier(self.ring, engine=NativeEngine(**options), clock=lambda: NOW + 5)

    def cut(self, count: int) -> list[tuple[int, bytes, bytes]]:
        """Issuer, message and raw signature of the first tokens."""
        found = []
        for i, token in enumerate(self.tokens[:count]):
            _, payload, signature = cut_envelope(token)
            found.append((i % ISSUERS, self.entries[i % ISSUERS].prefix + payload, signature))
        return found


def sample(make: Callable[[], Any]) -> Sample:
    """Keys of one algorithm and a batch of their tokens, mixed."""
    keys = [make() for _ in range(ISSUERS)]
    issuers = itertools.cycle([Issuer(key, clock=lambda: NOW) for key in keys])
    tokens = [next(issuers).issue(IDENTITY_REF, CITY) for _ in range(BATCH)]
    ring = KeyRing([KeyEntry(key.verifying_key, f"issuer {i}") for i, key in enumerate(keys)])
    return Sample(keys, ring, [token.data for token in tokens], [token.text for token in tokens])


def run(bench: Bench) -> None:
    """Measure the family."""
    samples = {"p256": sample(P256SigningKey.generate), "sm2": sample(NativeSM2SigningKey.generate)}
    forced = [path for path in ("scalar", "avx2") if _runs(path)]
    groups: dict[str, tuple[Mapping[str, Callable[[], object]], int]] = {}
    for name, own in samples.items():
        groups |= {
            f"{name} rates": (_rates(name, own, forced), 200),
            f"{name} small": (_small(own, forced), 10_000),
            f"{name} junk": (_junk(own.verifier(), own), 60),
            f"{name} avx2 junk": (_junk(own.verifier(path="avx2"), own) if "avx2" in forced else {}, 60),
            f"{name} cores": (_cores(own), 60),
            f"{name} prepare": ({"prepare": lambda own=own: NativeEngine().prepare(own.ring)}, 20),  # type: ignore[misc]
        }
    times = bench.take_in_turns({name: group for name, group in groups.items() if group[0]})
    for name in samples:
        _report(bench, name, times[f"{name} rates"], times[f"{name} small"])
    for figure, of in (("junk_cost_ratio", "junk"), ("avx2_junk_cost_ratio", "avx2 junk")):
        junk = {name: times[f"{name} {of}"] for name in samples if f"{name} {of}" in times}
        kinds = [(name, kind) for name, own in junk.items() for kind in own.of if kind != "good"]
        if kinds:
            worst = max((*junk[name].ratio(kind, "good"), f"{name}: {kind}") for name, kind in kinds)
            note = f"the worst of {len(kinds)}: {worst[2]}"
            bench.row(Row(f"native.{figure}", worst[0], "ratio", "lower", worst[1], "<= 1.2", note))
    scaling = [(*times[part].ratio("in turn", "together"), part.split()[0]) for part in times if part.endswith("cores")]
    if scaling:
        ratio, noise, note = min(scaling)
        bench.row(Row("native.two_core_scaling", ratio, "ratio", "higher", noise, ">= 1.85", note))
    _memory(bench, samples["sm2"])
    slowest = max(times[f"{name} prepare"].seconds("prepare") for name in samples)
    bench.row(Row("native.prepare_ms_per_key", slowest * 1e3 / ISSUERS, "ms", "lower"))


def _runs(path: Any) -> bool:
    try:
        NativeEngine(path=path)
    except RuntimeError as reason:
        print(f"left out: native by {path}: {reason}")
        return False
    return True


def whole(verifier: Verifier, texts: list[str], accepted: int) -> Callable[[], None]:
    """A call that verifies all texts, and counts the good ones."""

    def call() -> None:
        if verifier.verify_many(texts).accepted != accepted:
            raise AssertionError("not the verdicts that were expected")

    return call


def _rates(name: str, own: Sample, forced: list[str]) -> dict[str, Callable[[], object]]:
    calls: dict[str, Callable[[], object]] = {
        "native": whole(own.verifier(), own.texts, BATCH),
        **{path: whole(own.verifier(path=path), own.texts, BATCH) for path in forced},
    }
    for peer, make in (("bare", _bare), ("crypto_mb", _crypto_mb)):
        try:
            calls[peer] = make(name, own)
        except (AbsentError, LibcryptoError) as reason:
            print(f"left out: {name}.native against {peer}: {reason}")
    return calls


def _small(own: Sample, forced: list[str]) -> dict[str, Callable[[], object]]:
    sixteens = [own.texts[i : i + 16] for i in range(0, BATCH, 16)]
    calls = {}
    for path in (None, *forced):
        verifier, name = own.verifier(path=path), f" {path}" if path else ""
        calls[f"single{name}"] = each(verifier.verify, own.texts)
        calls[f"sixteen{name}"] = each(verifier.verify_many, sixteens)
    return calls


def _report(bench: Bench, name: str, rates: Times, small: Times) -> None:
    for figure, path, target in (("tokens", "native", ">= 500000"), ("scalar", "scalar", ">= 90000")):
        rate = BATCH / rates.best_seconds(path)
        bench.row(Row(f"{name}.native.{figure}_per_s", rate, "1/s", "higher", target=target))
    if "avx2" in rates.of:
        bench.row(Row(f"{name}.native.avx2_per_s", BATCH / rates.best_seconds("avx2"), "1/s", "higher"))
        ratio, noise = rates.ratio("scalar", "avx2")
        bench.row(Row(f"{name}.native.avx2_vs_scalar", ratio, "ratio", "higher", noise, AVX2_VS_SCALAR[name]))
        for figure, size in (("16", "sixteen"), ("single", "single")):
            ratio, noise = small.ratio(f"{size} scalar", f"{size} avx2")
            bench.row(Row(f"{name}.native.avx2_vs_scalar_{figure}", ratio, "ratio", "higher", noise))
    for peer, (figure, target) in {"bare": VS_BARE[name], "crypto_mb": ("vs_crypto_mb", ">= 10")}.items():
        if peer in rates.of:
            count = {"bare": BARE, "crypto_mb": EIGHTS}[peer]
            ratio, noise = (figure * BATCH / count for figure in rates.ratio(peer, "native"))
            bench.row(Row(f"{name}.native.{figure}", ratio, "ratio", "higher", noise, target))
    bench.row(Row(f"{name}.native.single_per_s", 1 / small.best_seconds("single"), "1/s", "higher", target=">= 100000"))
    bench.row(
        Row(f"{name}.native.batch16_per_s", 16 / small.best_seconds("sixteen"), "1/s", "higher", target=">= 300000")
    )


def _bare(name: str, own: Sample) -> Callable[[], object]:
    """As many bare verifications of the same bytes, with prepared inputs."""
    cut = own.cut(BARE)
    if name == "sm2":
        points = [b"\x04" + b"".join(entry.key.point) for entry in own.entries]
        calls = [bare_verify(points[at], [(message, signature)]) for at, message, signature in cut]
    else:
        numbers = [ec.EllipticCurvePublicNumbers(*(int.from_bytes(part, "big") for part in entry.key.point),
                                                 ec.SECP256R1()) for entry in own.entries]  # fmt: skip
        verify = [number.public_key().verify for number in numbers]
        ready = [(verify[at], der_from_raw(signature), message) for at, message, signature in cut]

        def p256() -> None:
            for check, der, message in ready:
                check(der, message, _ECDSA)

        return p256

    def sm2() -> None:
        for call in calls:
            call()

    return sm2


def _crypto_mb(name: str, own: Sample) -> Callable[[], object]:
    jobs = [
        crypto_mb.Job(message, signature[:32], signature[32:], *own.entries[at].key.point)
        for at, message, signature in own.cut(EIGHTS)
    ]
    if name == "sm2":
        return crypto_mb.sm2(jobs, DEFAULT_USER_ID)
    return crypto_mb.p256([job._replace(message=hashlib.sha256(job.message).digest()) for job in jobs])


def _cores(own: Sample) -> dict[str, Callable[[], object]]:
    """Calls that compare two cores with one. Only these may run on other cores.

    The call on one core uses each of the two for half of the texts, because on a shared machine one of them may be slow
    for seconds.
    """
    if not hasattr(os, "sched_setaffinity") or (os.cpu_count() or 1) < 2:
        print("left out: native.two_core_scaling: there is one core, or none can be asked for")
        return {}
    pinned = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, range(os.cpu_count() or 1))
        cores = sorted(os.sched_getaffinity(0))[:2]
        if len(cores) < 2:
            print("left out: native.two_core_scaling: one core is allowed")
            return {}
        half, both = own.texts * 2, own.texts * 4
        alone = whole(own.verifier(), half, len(half))
        os.sched_setaffinity(0, cores)
        together = whole(own.verifier(threads=2), both, len(both))  # its second thread may run on both cores
    finally:
        os.sched_setaffinity(0, pinned)

    def on(allowed: Iterable[int], call: Callable[[], None]) -> None:
        os.sched_setaffinity(0, allowed)
        try:
            call()
        finally:
            os.sched_setaffinity(0, pinned)

    def in_turn() -> None:
        for core in cores:
            on({core}, alone)

    return {"in turn": in_turn, "together": lambda: on(cores, together)}


def _memory(bench: Bench, own: Sample) -> None:
    verifier = own.verifier()
    verifier.verify_many(own.texts)
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    verdicts = verifier.verify_many(own.texts)
    after, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    kept = (after - before) / len(verdicts) - COLUMNS
    note = f"at most {(peak - before) / len(verdicts) - COLUMNS:.0f} while it runs"
    bench.row(Row("native.verdict_bytes_per_token", kept, "B", "lower", target="<= 40", note=note))


# -- junk --------------------------------------------------------------------------------------------------------------


def _junk(verifier: Verifier, own: Sample) -> dict[str, Callable[[], object]]:
    junk = {kind: list(itertools.islice(itertools.cycle(texts), BATCH)) for kind, texts in _kinds(own).items()}
    mixed = list(itertools.chain.from_iterable(zip(*junk.values(), strict=True)))[:BATCH]
    every_second = [text for pair in zip(own.texts, mixed, strict=True) for text in pair][:BATCH]
    return {
        "good": whole(verifier, own.texts, BATCH),
        **{kind: whole(verifier, texts, 0) for kind, texts in junk.items()},
        "all kinds mixed": whole(verifier, mixed, 0),
        "every second one good": whole(verifier, every_second, BATCH // 2),
    }


def _kinds(own: Sample) -> dict[str, list[str]]:
    """Junk of each kind, as much as can be made quickly."""
    order = SM2_N if own.keys[0].algorithm is Algorithm.SM2 else P256_N
    few = range(256)
    entries = [own.entries[i % ISSUERS] for i in few]
    random = [os.urandom(64) for _ in few]

    def spelled(payload: Callable[[int], bytes], signature: Callable[[int, bytes], bytes]) -> list[str]:
        texts = []
        for i in few:
            framed = encode_byte_string(payload(i))
            made = signature(i, entries[i].prefix + framed)
            texts.append(encode_text(1, encode_envelope(entries[i].header, payload(i), made)))
        return texts

    def short(i: int) -> bytes:
        return cut_envelope(own.tokens[i])[1][2:]

    def long(i: int) -> bytes:
        return random[i][:1] * LONGEST_PAYLOAD

    def signed(i: int, message: bytes) -> bytes:
        return bytes(own.keys[i % ISSUERS].sign(message))

    crafted = list(_crafted(order))
    strangers = sample_of_strangers(own)
    return {
        "unknown keys": strangers,
        "bad signatures": spelled(short, lambda i, _: random[i]),
        "bad signatures under 800 digits": spelled(long, lambda i, _: random[i]),
        "signatures out of range": spelled(short, lambda i, _: b"\xff" * 64),
        "doublings": spelled(short, lambda i, m: _doubling(order, m, *crafted[i % len(crafted)])),
        "doublings under 800 digits": spelled(long, lambda i, m: _doubling(order, m, *crafted[i % len(crafted)])),
        "bad claims, good signatures": spelled(lambda i: short(i) + b"\0", signed),
        "bad claims under 800 digits, good signatures": spelled(long, signed),
        "one digit wrong": [text[:99] + str(9 - int(text[99])) + text[100:] for text in own.texts[:256]],
        "800 nines": ["96" + "9" * 798],
        "full-width digits": ["96" + "９" * 798],
    }


def sample_of_strangers(own: Sample) -> list[str]:
    """Good tokens of a key that is not trusted."""
    make = NativeSM2SigningKey.generate if own.keys[0].algorithm is Algorithm.SM2 else P256SigningKey.generate
    issuer = Issuer(make(), clock=lambda: NOW)
    return [issuer.issue(IDENTITY_REF, CITY).text for _ in range(256)]


def _crafted(order: int) -> Iterator[tuple[int, int]]:
    """Multipliers of G and of the key for which a sum, taken window by window, ends in adding a point to itself.

    The highest digit times its place equals the sum of the lower ones, modulo the order: u = 2 d 2^place. Windows have
    14 bits for G, and 8 or 10 for keys.
    """
    for place, digits in ((252, 16), (248, 256), (250, 64)):
        for digit in range(1, digits, 2):
            for sign in (1, -1):
                u = sign * 2 * digit * 2**place % order
                yield u, u
                yield u, (u * 3 + 1) % order
                yield (u * 5 + 1) % order, u


def _doubling(order: int, message: bytes, u1: int, u2: int) -> bytes:
    """A signature whose verification computes u1 G + u2 Q. It needs no private key, and is not accepted."""
    if order == SM2_N:  # s G + (r + s) Q
        s, r = u1, (u2 - u1) % order
    else:  # (e / s) G + (r / s) Q
        e = int.from_bytes(hashlib.sha256(message).digest(), "big")
        s = e * pow(u1, -1, order) % order
        r = u2 * s % order
    return (r or 1).to_bytes(32, "big") + (s or 1).to_bytes(32, "big")
