"""SM2: whole tokens, signatures and signing, compared with bare EVP and with the installed SM2 packages of PyPI.

*Bare EVP* follows OpenSSL's manual on the same bytes: `EVP_DigestVerify` or `EVP_DigestSign` on a copy of a context
that was prepared once, through ctypes, with the signature already in DER.
"""

from __future__ import annotations

import ctypes
import itertools
from collections.abc import Callable, Iterable
from importlib.util import find_spec
from typing import TypeVar, get_args

from benchmarks.measure import AbsentError, Bench, Row
from benchmarks.samples import CITY, IDENTITY_REF, NOW
from benchmarks.sm2_peers import peers
from ybtoken import Issuer, KeyEntry, KeyRing, Verifier
from ybtoken.algorithms import DEFAULT_USER_ID
from ybtoken.keys._der import der_from_raw
from ybtoken.keys._sm2.evp import EvpPublicKey, load
from ybtoken.keys.sm2 import LibcryptoError, SM2Backend, SM2SigningKey, SM2VerifyingKey
from ybtoken.wire.envelope import cut_envelope

TOKENS = 256
"""How many different tokens: with few, a table would be read at the same places, and be faster than in service."""
TARGETS = {"libcrypto": ">= 0.93", "tables": ">= 0.85"}
T = TypeVar("T")


def run(bench: Bench) -> None:
    """Measure the family."""
    try:
        key = SM2SigningKey.generate()
    except LibcryptoError as error:
        raise AbsentError(error.en) from None
    issuer = Issuer(key, clock=lambda: NOW)
    tokens = [issuer.issue(IDENTITY_REF, CITY) for _ in range(TOKENS)]
    point = b"\x04" + b"".join(key.verifying_key.point)
    backends: tuple[SM2Backend, ...] = get_args(SM2Backend)
    keys = {backend: SM2VerifyingKey(point, backend=backend) for backend in backends}
    cut = [cut_envelope(token.data) for token in tokens]
    prefix = KeyEntry(keys["tables"], "bench").prefix
    signed = [(prefix + payload, signature) for _, payload, signature in cut]
    messages = [message for message, _ in signed]

    # Each group is measured alone, so that the previous call, which leaves its data in the caches, is of the same kind.
    bare = bare_verify(point, signed)
    tokenwise: dict[str, Callable[[], object]] = {"bare": bare}
    signatures: dict[str, Callable[[], object]] = {"bare": bare}
    signing: dict[str, Callable[[], object]] = {
        "bare": bare_sign(key, messages),
        "sign": each(key.sign, messages),
        "issue": lambda: issuer.issue(IDENTITY_REF, CITY),
    }
    if find_spec("ybtoken_native"):
        from ybtoken.keys.sm2_native import NativeSM2SigningKey

        signing["native"] = each(NativeSM2SigningKey(key._key.scalar()).sign, messages)
    for backend, public in keys.items():
        verifier = Verifier(KeyRing([KeyEntry(public, "bench")]), clock=lambda: NOW + 5)
        tokenwise[backend] = each(verifier.verify, [token.text for token in tokens])
        signatures[backend] = each(lambda pair, public=public: public.verify(*pair), signed)  # type: ignore[misc]
    present, absent = peers(point, key._key.scalar(), *signed[0])
    peering = {"bare": bare} | {
        peer.name: each(lambda pair, verify=peer.verify: verify(*pair), signed)  # type: ignore[misc]
        for peer in present
    }
    peer_signing = {"bare": signing["bare"]} | {peer.name: each(peer.sign, messages) for peer in present if peer.sign}

    times = bench.take(tokenwise, rounds=3000)
    facts = {"token_bytes": len(tokens[0].data), "qr_version": tokens[0].qr.version}
    for backend in backends:
        ratio, noise = times.ratio("bare", backend)
        bench.row(Row(f"sm2.{backend}.verify_vs_bare", ratio, "ratio", "higher", noise, TARGETS[backend], facts=facts))
        bench.row(Row(f"sm2.{backend}.verify_per_s", 1 / times.seconds(backend), "1/s", "higher"))
    bench.row(Row("sm2.bare.verify_per_s", 1 / times.seconds("bare"), "1/s", "higher"))
    times = bench.take(signing, rounds=1500)
    ratio, noise = times.ratio("bare", "sign")
    bench.row(Row("sm2.sign_vs_bare", ratio, "ratio", "higher", noise, ">= 0.9"))
    bench.row(Row("sm2.sign_per_s", 1 / times.seconds("sign"), "1/s", "higher"))
    if "native" in signing:
        ratio, noise = times.ratio("bare", "native")
        bench.row(Row("sm2.native.sign_vs_bare", ratio, "ratio", "higher", noise))
        bench.row(Row("sm2.native.sign_per_s", 1 / times.seconds("native"), "1/s", "higher"))
    bench.row(Row("sm2.issue_per_s", 1 / times.seconds("issue"), "1/s", "higher"))
    for group, rounds, what in (
        (signatures, 1500, "signature"),
        (peering, 100, "signature"),
        (peer_signing, 100, "sign"),
    ):
        times = bench.take(group, rounds=rounds)
        for name in list(group)[1:]:
            ratio, noise = times.ratio("bare", name)
            figure = f"sm2.{name}.{what}_vs_bare" if name in keys else f"sm2.peer.{name}.{what}_vs_bare"
            bench.row(Row(figure, ratio, "ratio", "higher", noise))
    for line in absent:
        print(f"left out: {line}")


def each(act: Callable[[T], object], samples: Iterable[T]) -> Callable[[], object]:
    """A call that takes the next sample each time; a result of False is a refusal."""
    following = itertools.cycle(samples).__next__

    def call() -> None:
        if act(following()) is False:
            raise AssertionError("a good signature was refused")

    return call


def bare_verify(point: bytes, signed: list[tuple[bytes, bytes]]) -> Callable[[], object]:
    """A call of `EVP_DigestVerify` for one message after the other."""
    key = EvpPublicKey(load(), point, DEFAULT_USER_ID)
    lib, context = _prepared(key._pkey, "EVP_DigestVerifyInit_ex")
    new, copy, verify, free = lib.EVP_MD_CTX_new, lib.EVP_MD_CTX_copy_ex, lib.EVP_DigestVerify, lib.EVP_MD_CTX_free
    following = itertools.cycle([(message, der_from_raw(signature)) for message, signature in signed]).__next__

    def call(_key: EvpPublicKey = key) -> None:  # the key lives as long as its context
        message, der = following()
        own = new()
        copy(own, context)
        if verify(own, der, len(der), message, len(message)) != 1:
            raise AssertionError("a good signature was refused")
        free(own)

    return call


def bare_sign(key: SM2SigningKey, messages: list[bytes]) -> Callable[[], object]:
    """A call of `EVP_DigestSign` for one message after the other."""
    lib, context = _prepared(key._key._pkey, "EVP_DigestSignInit_ex")
    new, copy, sign, free = lib.EVP_MD_CTX_new, lib.EVP_MD_CTX_copy_ex, lib.EVP_DigestSign, lib.EVP_MD_CTX_free
    following = itertools.cycle(messages).__next__
    out, length = ctypes.create_string_buffer(72), ctypes.c_size_t(72)

    def call() -> None:
        message, length.value = following(), 72
        own = new()
        copy(own, context)
        if sign(own, out, ctypes.byref(length), message, len(message)) != 1:
            raise AssertionError("not signed")
        free(own)

    return call


def _prepared(pkey: int, prepare: str) -> tuple[ctypes.CDLL, int]:
    """The library, and a digest context with the key and the user id in it."""
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
    context: int = lib.EVP_MD_CTX_new()
    options = lib.EVP_PKEY_CTX_new_from_pkey(None, pkey, None)
    lib.EVP_PKEY_CTX_set1_id(options, DEFAULT_USER_ID, len(DEFAULT_USER_ID))
    lib.EVP_MD_CTX_set_pkey_ctx(context, options)
    if getattr(lib, prepare)(context, None, b"SM3", None, None, pkey, None) != 1:
        raise AbsentError("this libcrypto has no SM2")
    return lib, context
