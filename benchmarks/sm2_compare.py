"""SM2 in one run: whole tokens, messages, signing, and the peers, each as a ratio to bare EVP.

    python benchmarks/sm2_compare.py [--rounds 30]

One process, one thread, one key, 256 distinct tokens. In each round every contender takes its turn on the next tokens,
so that all see the same machine; times are the thread's own CPU time, so that what else runs is not counted. Reported
are the medians over the rounds: of the rate, and of the ratio to bare EVP in the same round. *Bare EVP* is a loop of
`EVP_DigestVerify` (or `EVP_DigestSign`) on a copy of a prepared context, called through ctypes, with the signature
already in DER: what the manual has for the same bytes.
"""

from __future__ import annotations

import argparse
import ctypes
import itertools
import statistics
import time
from collections.abc import Callable
from typing import NamedTuple, TypeVar, get_args

from sm2_peers import peers

from ybtoken import Issuer, KeyEntry, KeyRing, Verifier
from ybtoken.backends._der import der_from_raw
from ybtoken.backends._evp_sm2 import EvpPrivateKey, EvpPublicKey, load
from ybtoken.backends.sm2 import DEFAULT_USER_ID, SM2Backend, SM2SigningKey, SM2VerifyingKey
from ybtoken.cose import cut_envelope

NOW = 1_800_000_000
SAMPLES = 256
T = TypeVar("T")


class Contender(NamedTuple):
    name: str
    per_round: int
    run: Callable[[int], object]
    """Does one operation, on the sample of that number."""


class Bare:
    """EVP as its manual has it: a digest context with key and user id, prepared once and copied for each call."""

    def __init__(self, pkey: int, prepare: str) -> None:
        lib = ctypes.CDLL(load().path)
        pointer, number, octets, size = ctypes.c_void_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_size_t
        for name, result, *arguments in (
            ("EVP_MD_CTX_new", pointer),
            ("EVP_MD_CTX_free", None, pointer),
            ("EVP_MD_CTX_copy_ex", number, pointer, pointer),
            ("EVP_MD_CTX_set_pkey_ctx", None, pointer, pointer),
            ("EVP_PKEY_CTX_new_from_pkey", pointer, pointer, pointer, pointer),
            ("EVP_PKEY_CTX_set1_id", number, pointer, octets, number),
            (prepare, number, pointer, pointer, octets, pointer, pointer, pointer, pointer),
            ("EVP_DigestVerify", number, pointer, octets, size, octets, size),
            ("EVP_DigestSign", number, pointer, octets, ctypes.POINTER(size), octets, size),
        ):
            getattr(lib, name).restype, getattr(lib, name).argtypes = result, arguments
        self.new, self.copy, self.free = lib.EVP_MD_CTX_new, lib.EVP_MD_CTX_copy_ex, lib.EVP_MD_CTX_free
        self.digest_verify, self.digest_sign = lib.EVP_DigestVerify, lib.EVP_DigestSign
        self.context = self.new()
        options = lib.EVP_PKEY_CTX_new_from_pkey(None, pkey, None)
        lib.EVP_PKEY_CTX_set1_id(options, DEFAULT_USER_ID, len(DEFAULT_USER_ID))
        lib.EVP_MD_CTX_set_pkey_ctx(self.context, options)
        if getattr(lib, prepare)(self.context, None, b"SM3", None, None, pkey, None) != 1:
            raise RuntimeError("libcrypto has no SM2")


def bare_verify(key: EvpPublicKey, messages: list[bytes], signatures: list[bytes]) -> Callable[[int], None]:
    bare = Bare(key._pkey, "EVP_DigestVerifyInit_ex")
    new, copy, verify, free, context = bare.new, bare.copy, bare.digest_verify, bare.free, bare.context
    ders = [der_from_raw(signature) for signature in signatures]

    def run(i: int) -> None:
        own = new()
        copy(own, context)
        if verify(own, ders[i], len(ders[i]), messages[i], len(messages[i])) != 1:
            raise AssertionError("refused")
        free(own)

    return run


def bare_sign(key: EvpPrivateKey, messages: list[bytes]) -> Callable[[int], None]:
    bare = Bare(key._pkey, "EVP_DigestSignInit_ex")
    new, copy, sign, free, context = bare.new, bare.copy, bare.digest_sign, bare.free, bare.context
    out, length = ctypes.create_string_buffer(72), ctypes.c_size_t(72)

    def run(i: int) -> None:
        length.value = 72
        own = new()
        copy(own, context)
        if sign(own, out, ctypes.byref(length), messages[i], len(messages[i])) != 1:
            raise AssertionError("not signed")
        free(own)

    return run


def of_one(act: Callable[[T], object], samples: list[T]) -> Callable[[int], object]:
    return lambda i: act(samples[i])


def checked(
    verify: Callable[[bytes, bytes], object], messages: list[bytes], signatures: list[bytes]
) -> Callable[[int], None]:
    def run(i: int) -> None:
        if verify(messages[i], signatures[i]) is False:
            raise AssertionError("refused")

    return run


def contenders() -> tuple[list[Contender], list[Contender]]:
    """Those that verify and those that sign, bare EVP first; says on standard output who is left out."""
    signing = SM2SigningKey.generate()
    issuer = Issuer(signing, clock=lambda: NOW)
    tokens = [issuer.issue(bytes(16), "330106") for _ in range(SAMPLES)]
    texts = [token.text for token in tokens]
    backends: tuple[SM2Backend, ...] = get_args(SM2Backend)
    keys = {backend: SM2VerifyingKey.from_point(*signing.verifying_key.point, backend=backend) for backend in backends}
    ring = {backend: KeyRing([KeyEntry(key, "bench")]) for backend, key in keys.items()}
    parts = [cut_envelope(token.data) for token in tokens]
    messages = [ring["tables"].entries[0].prefix + payload for _, payload, _ in parts]
    signatures = [signature for _, _, signature in parts]
    public = EvpPublicKey(load(), b"\x04" + b"".join(signing.verifying_key.point), DEFAULT_USER_ID)
    verifying = [Contender("bare EVP", 20, bare_verify(public, messages, signatures))]
    signers = [Contender("bare EVP", 20, bare_sign(signing._key, messages))]
    for backend, key in keys.items():
        verifier = Verifier(ring[backend], clock=lambda: NOW)
        verifying.append(Contender(f"token, {backend}", 20, of_one(verifier.verify, texts)))
        verifying.append(Contender(f"message, {backend}", 20, checked(key.verify, messages, signatures)))
    signers.append(Contender("message, libcrypto", 20, of_one(signing.sign, messages)))
    signers.append(Contender("token, libcrypto", 20, lambda i: issuer.issue(bytes(16), "330106")))
    point = b"\x04" + b"".join(signing.verifying_key.point)
    for peer in peers(point, signing._key.scalar(), messages[0], signatures[0]):
        if isinstance(peer, str):
            print(f"left out: {peer}")
            continue
        slow = 1 if peer.name in ("gmssl", "gmalg") else 10
        verifying.append(Contender(f"message, {peer.name}", slow, checked(peer.verify, messages, signatures)))
        if peer.sign:
            signers.append(Contender(f"message, {peer.name}", slow, of_one(peer.sign, messages)))
    return verifying, signers


def compare(title: str, all_of_them: list[Contender], rounds: int) -> None:
    seconds: dict[str, list[float]] = {contender.name: [] for contender in all_of_them}
    turns = {contender.name: itertools.cycle(range(SAMPLES)) for contender in all_of_them}
    for contender in all_of_them:  # tables are built, caches filled
        contender.run(0)
    for _ in range(rounds):
        for contender in all_of_them:
            numbers = list(itertools.islice(turns[contender.name], contender.per_round))
            start = time.thread_time()
            for i in numbers:
                contender.run(i)
            seconds[contender.name].append((time.thread_time() - start) / contender.per_round)
    bare = seconds[all_of_them[0].name]
    print(f"\n{title:28} {'per second':>10} {'to bare EVP':>12}")
    for name, times in seconds.items():
        ratio = statistics.median(base / own for base, own in zip(bare, times, strict=True))
        print(f"{name:28} {1 / statistics.median(times):10.0f} {ratio:12.3f}")


def main() -> None:
    parser = argparse.ArgumentParser(description="SM2: tokens, messages, signing and peers, as ratios to bare EVP.")
    parser.add_argument("--rounds", type=int, default=30)
    rounds = parser.parse_args().rounds
    verifying, signers = contenders()
    print(load())
    compare("verify", verifying, rounds)
    compare("sign", signers, rounds)


if __name__ == "__main__":
    main()
