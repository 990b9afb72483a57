"""The library as a program of the conformance kit: `python interop/library.py [--engine native]`.

`Library.outcome` computes the outcome of a case; the tests of the vectors use it, too. `vectors/README.md` describes
the cases, and what a program reads and writes.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from typing import Any

from ybtoken import (
    CannotCheckError,
    Engine,
    KeyRing,
    MemoryReplayGuard,
    Scope,
    SerialEngine,
    TokenError,
    VerifiedVoucher,
    Verifier,
    normalize_scan,
)
from ybtoken.algorithms import Algorithm
from ybtoken.engines.protocols import Opener
from ybtoken.errors import PolicyError
from ybtoken.identity import BlockCipher, IdentitySealer
from ybtoken.keys.keyset import load_cose_keyset, load_jwks
from ybtoken.keys.ring import KeyEntry
from ybtoken.passes.challenge import Challenge
from ybtoken.passes.rotating import RotatingCodes
from ybtoken.policy import (
    AcceptedProfiles,
    AnyOf,
    Channel,
    HolderOnly,
    InsuredPlace,
    MaximumAge,
    MinimumAssurance,
    Policy,
    Purpose,
)
from ybtoken.status.list import StatusListReader
from ybtoken.status.policy import StatusPolicy
from ybtoken.status.source import MemoryStatusSource
from ybtoken.voucher import Profile

CAPABILITIES = [
    "ES256", "SM2", "profile-2", "profile-3", "policy", "status", "ring", "keyset", "redeem", "challenge", "scan",
    "identity", "loss", "late",
]  # fmt: skip

_CLAIMS = (
    "kid", "algorithm", "profile", "identity_ref", "city_code", "issued_at", "expires_at", "nonce", "channel",
    "purpose", "presenter", "assurance", "status_index", "device_key", "time_step", "presentation",
)  # fmt: skip


class Library:
    """Computes the outcomes of cases with the library.

    Args:
        engine: does steps 1 to 7.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = _Prepared(engine)
        self.name = f"ybtoken, {engine.name}"

    def outcome(self, case: dict[str, Any]) -> Any:
        """The outcome of a case of any family, in the words of the vectors."""
        if "scanned" in case:
            return {"text": normalize_scan(case["scanned"])}
        if "person_number" in case:
            return _sealed(case)
        if "list" in case:
            return _status_list(case)
        if "redeems" in case:
            now = [0]
            verifier = self.verifier(case, now)
            return [_redeem(verifier, case, redeem, now) for redeem in case["redeems"]]
        if case["family"] == "challenge":
            return _challenge(case["text"])
        if "text" not in case:
            return _ring(case)
        verifier = self.verifier(case, [case["now"]])
        return verdict(verifier.verify, case["text"], **asked(case))

    def verifier(self, case: dict[str, Any], now: list[int]) -> Verifier:
        """A verifier with the settings of a case, and a clock that can be set."""
        guard = None
        if "redeems" in case:
            guard = MemoryReplayGuard(clock=lambda: now[0], remembers_since=case.get("lost_at", 0))
        return Verifier(
            ring_of(case),
            engine=self.engine,
            skew=case["skew"],
            max_lifetime=case["max_lifetime"],
            **{name: case[name] for name in ("max_pass_lifetime", "max_display_age") if name in case},
            otp=_codes(case),
            policies=map(policy_of, case.get("policies", [])),
            guard=guard,
            clock=lambda: now[0],
        )


class _Prepared:
    """An engine that prepares a ring once, because most cases have one ring, and the native engine builds tables."""

    def __init__(self, engine: Engine) -> None:
        self.name = engine.name
        self._engine = engine
        self._openers: deque[Opener] = deque(maxlen=32)

    def prepare(self, keys: KeyRing) -> Opener:
        """The opener of this ring, if it is among the last ones."""
        for opener in self._openers:
            if opener.keys is keys:
                return opener
        self._openers.append(self._engine.prepare(keys))
        return self._openers[-1]


def ring_of(case: dict[str, Any]) -> KeyRing:
    """The key ring of a case."""
    if "keyset" in case:
        return load_cose_keyset(bytes.fromhex(case["keyset"]))
    if "document" in case:
        return load_jwks(bytes.fromhex(case["document"]))
    return _jwks(json.dumps(case["jwks"]))


_jwks = lru_cache(maxsize=64)(load_jwks)


def asked(case: dict[str, Any]) -> dict[str, Any]:
    """The arguments of a verifier's call that say what the terminal asked in a case."""
    text = case.get("challenge")
    if text == "any":  # a recorded scan
        return {"recorded": True}
    return {"challenge": text and Challenge.from_text(text)}


def verdict(call: Callable[..., VerifiedVoucher], *args: Any, **more: Any) -> dict[str, Any]:
    """What a call returns or raises, in the words of the vectors."""
    try:
        return stated(call(*args, **more))
    except TokenError as error:
        return stated(error)


def stated(found: VerifiedVoucher | TokenError) -> dict[str, Any]:
    """A verdict in the words of the vectors."""
    if isinstance(found, TokenError):
        return {"step": found.step, "code": found.code}
    values = {name: getattr(found, name) for name in _CLAIMS}
    return {"claims": {name: _value(value) for name, value in values.items() if value is not None}}


def _value(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, tuple):  # a device key, a presentation
        return {name: _value(item) for name, item in value._asdict().items() if item is not None}
    return int(value) if isinstance(value, int) and not isinstance(value, bool) else value


class _AcceptsNone:
    """A policy that accepts nothing, which the library's own constructors refuse as a probable slip."""

    def __init__(self, name: str) -> None:
        self.name = name

    def check(self, voucher: object, now: int) -> None:
        raise PolicyError(f"policy.{self.name}", found="-", accepted="-")


def policy_of(stated: dict[str, Any]) -> Policy:
    """A policy as a case states it."""
    match stated:
        case {"policy": "insured_place", "prefixes": prefixes, "exclusions": exclusions}:
            return InsuredPlace(Scope(prefixes, exclusions))
        case {"policy": "purpose" | "channel" | "profiles" as name, "accept": []} if not stated.get("accept_unstated"):
            return _AcceptsNone(name.removesuffix("s"))
        case {"policy": "purpose", "accept": accept, "accept_unstated": unstated}:
            return Purpose(*accept, accept_unstated=unstated, known=None)
        case {"policy": "channel", "accept": accept, "accept_unstated": unstated}:
            return Channel(*accept, accept_unstated=unstated)
        case {"policy": "minimum_assurance", "level": level}:
            return MinimumAssurance(level)
        case {"policy": "maximum_age", "seconds": seconds}:
            return MaximumAge(seconds)
        case {"policy": "profiles", "accept": accept}:
            return AcceptedProfiles(*map(Profile, accept))
        case {"policy": "holder_only"}:
            return HolderOnly()
        case {"policy": "any_of", "policies": policies}:
            return AnyOf(map(policy_of, policies))
        case {"policy": "status", "accept_unlisted": unlisted}:
            return StatusPolicy(_source(stated), accept_unlisted=unlisted)
    raise ValueError(f"no such policy: {stated}")


def _source(stated: dict[str, Any]) -> MemoryStatusSource:
    reader = StatusListReader(ring_of(stated), stated["uri"])
    source = MemoryStatusSource(reader, grace=stated["grace"])
    for passed_in in stated["lists"]:
        with suppress(CannotCheckError):  # the list that is held stays
            source.load(bytes.fromhex(passed_in["list"]), passed_in["at"])
    return source


def _codes(case: dict[str, Any]) -> RotatingCodes | None:
    masters = case.get("masters")
    return RotatingCodes({int(since): bytes.fromhex(key) for since, key in masters.items()}) if masters else None


def _redeem(verifier: Verifier, case: dict[str, Any], redeem: dict[str, Any], now: list[int]) -> dict[str, Any]:
    now[0] = redeem.get("claimed_at", redeem["now"])  # what the guard reads; the verifier is given its time
    return verdict(verifier.redeem, redeem["text"], now=redeem["now"], **asked(case | redeem))


def _ring(case: dict[str, Any]) -> dict[str, Any]:
    try:
        entries = ring_of(case).entries
    except ValueError:
        return {"ring": "refused"}
    return {"entries": list(map(_entry, entries))} if "keyset" in case else {"kids": [e.kid.hex() for e in entries]}


def _entry(entry: KeyEntry) -> dict[str, Any]:
    values = {
        "kid": entry.kid.hex(),
        "algorithm": int(entry.key.algorithm),
        "issuer": entry.issuer,
        "scope": list(entry.scope.prefixes),
        "except": list(entry.scope.exclusions),
        "not_before": entry.not_before,
        "not_after": entry.not_after,
        "withdrawn_since": entry.withdrawn_since,
        "use": entry.use.value,
        "status_uri": entry.status_uri,
    }
    if entry.key.algorithm is Algorithm.SM2:
        values["user_id"] = getattr(entry.key, "user_id").hex()  # noqa: B009 - of SM2 keys only
    return {name: value for name, value in values.items() if value is not None}


def _challenge(text: str) -> dict[str, Any] | None:
    try:
        found = Challenge.from_text(text)
    except ValueError:
        return None
    if found.text != text:
        raise AssertionError("the challenge is spelled in another way")
    values = {"terminal": found.terminal, "purpose": found.purpose, "nonce": found.nonce.hex()}
    return values | {"answer": found.answer.hex()}


def _status_list(case: dict[str, Any]) -> dict[str, int | None] | None:
    reader = StatusListReader(ring_of(case), case["uri"], max_entries=case["max_entries"], skew=case["skew"])
    try:
        statuses = reader.read(bytes.fromhex(case["list"]), now=case["now"])
    except CannotCheckError:
        return None
    return {index: statuses[int(index)] if int(index) < len(statuses) else None for index in case["indexes"]}


def _sealed(case: dict[str, Any]) -> dict[str, str]:
    salt, number = bytes.fromhex(case["random"]), int(case["person_number"])
    sealer = IdentitySealer(bytes.fromhex(case["key"]), cipher=BlockCipher(case["cipher"]), random=lambda _: salt)
    reference = sealer.seal(number, at=0)
    if sealer.open(reference, at=0) != number:
        raise AssertionError("the reference opens to another number")
    return {"identity_ref": reference.hex()}


def engine_named(name: str) -> Engine:
    """An engine by its name."""
    if name == "serial":
        return SerialEngine()
    from ybtoken.engines.native import NativeEngine

    return NativeEngine()


def main() -> None:
    """Answer cases, one a line, until there are no more."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--engine", choices=("serial", "native"), default="serial")
    library = Library(engine_named(parser.parse_args().engine))
    print(json.dumps({"name": library.name, "capabilities": CAPABILITIES}), flush=True)
    for line in sys.stdin:
        case = json.loads(line)
        try:
            answer = {"id": case["id"], "outcome": library.outcome(case)}
        except Exception as error:  # the runner reports it, and goes on
            answer = {"id": case["id"], "error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
