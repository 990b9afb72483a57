"""Gives random inputs to several verifiers and compares their outcomes: `python interop/compare.py`.

Inputs are cases of the vectors that were changed: tokens (also under good signatures over changed claims), scans,
challenges, key rings, status lists. Nobody knows the right outcome beforehand; all have to have the same. The seed is
printed, and a seed gives the same inputs again.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "vectors"))

from cases import kit, passes, statuslist  # noqa: E402
from cases.device import ABOVE_P, SM2_HEADER  # noqa: E402
from cases.kit_sm2 import KEY_S, P  # noqa: E402
from conform import Program, cases, same  # noqa: E402

Case = dict[str, Any]
_CHUNK = 500
_LAST_BYTES = {digits: size for size, digits in enumerate(kit._LAST_DIGITS)}
_ODD_BYTES = (
    0,
    1,
    0x17,
    0x18,
    0x19,
    0x1A,
    0x1B,
    0x20,
    0x40,
    0x58,
    0x5F,
    0x7F,
    0x80,
    0x9F,
    0xA0,
    0xBF,
    0xC2,
    0xF4,
    0xF5,
    0xF6,
    0xF9,
    0xFF,
)
_ODD_LETTERS = [
    "\uff11",
    "\u0661",
    "\u00b2",
    "\U0001d7ce",
    "\\",
    "]",
    "+",
    "-",
    ".",
    "_",
    " ",
    "\n",
    "\r",
    "\t",
    "a",
    "\x00",
    "\ufeff",
]
_ODD_VALUES: list[Any] = [
    None,
    True,
    False,
    0,
    1,
    -1,
    2**32 - 1,
    2**32,
    2**53 - 1,
    2**53,
    "",
    "sig",
    "33",
    [],
    ["33"],
    ["3"],
    {},
    "EC",
    "AA",
    "\u200b",
    "\ud800",
    1_800_000_000,
]


class Source:
    """Makes inputs.

    Args:
        seed: the same seed makes the same inputs.
        kinds: makes only these, by the names of the methods; all by default.
    """

    def __init__(self, seed: int, kinds: list[str] | None = None) -> None:
        self._random = random.Random(seed)
        self._of: dict[str, list[Case]] = {}
        for case in cases():
            if "redeems" in case.question:
                continue
            alike = self._of.setdefault(self._kind(case.question), [])
            # Most cases of rings are refused; changes of a ring that is accepted show more.
            good = "kids" in case.expect or "entries" in case.expect if isinstance(case.expect, dict) else False
            alike += [case.question] * (12 if good else 1)
        self._made = 0
        self._makers: list[Callable[[], tuple[str, Case]]] = [
            self._token,
            self._token,
            self._spelled,
            self._spelled,
            self._signed,
            self._signed,
            self._signed,
            self._display,
            self._scan,
            self._challenge,
            self._ring,
            self._document,
            self._keyset,
            self._list,
        ]
        if kinds:
            self._makers = [make for make in self._makers if make.__name__.removeprefix("_") in kinds]

    @staticmethod
    def _kind(case: Case) -> str:
        for member, kind in (
            ("scanned", "scan"),
            ("list", "list"),
            ("person_number", "identity"),
            ("document", "document"),
        ):
            if member in case:
                return kind
        if case["family"] == "challenge":
            return "challenge"
        if "text" in case:
            return "token"
        return "keyset" if "keyset" in case else "ring"

    def case(self) -> tuple[str, Case]:
        """The kind of an input, and the input as a case."""
        kind, case = self._random.choice(self._makers)()
        self._made += 1
        case["id"] = f"{kind}/{self._made}"
        if "now" in case:
            # Verifiers without master keys must all give the same outcome for a rotating pass.
            case |= {"masters": {}}
            case = {"max_pass_lifetime": 86_400, "max_display_age": 60} | case
        return kind, case

    def _pick(self, kind: str) -> Case:
        return dict(self._random.choice(self._of[kind]))

    # --- what is changed

    def _bytes(self, data: bytes) -> bytes:
        changed = bytearray(data)
        for _ in range(self._random.choice((1, 1, 1, 2, 4))):
            at = self._random.randrange(len(changed) + 1)
            here = min(at, len(changed) - 1)
            match self._random.randrange(6):
                case 0 if changed:
                    changed[here] ^= 1 << self._random.randrange(8)
                case 1 if changed:
                    changed[here] = self._random.choice(_ODD_BYTES)
                case 2 if changed:
                    changed[here] = (changed[here] + self._random.choice((1, 255))) % 256
                case 3 if changed:
                    del changed[here]
                case 4:
                    changed.insert(at, self._random.choice(_ODD_BYTES))
                case _:
                    other = self._random.randrange(len(changed) + 1)
                    changed[at:at] = changed[min(at, other) : max(at, other)][:24]
        return bytes(changed)

    def _letters(self, text: str) -> str:
        for _ in range(self._random.choice((1, 1, 2, 3))):
            at = self._random.randrange(len(text) + 1)
            letter = self._random.choice("0123456789" if self._random.random() < 0.7 else _ODD_LETTERS)
            text = text[:at] + letter + text[at + self._random.randrange(2) :]
        return text

    def _settings(self, case: Case) -> Case:
        if self._random.random() < 0.2:
            now = case["now"] + self._random.choice((-(2**31), -70, -11, -10, -1, 1, 10, 60, 65, 66, 70, 4000, 2**31))
            case["now"] = max(now, 0)
        if self._random.random() < 0.1:
            case["skew"] = self._random.choice((0, 1, 10, 600))
        if self._random.random() < 0.1:
            case["max_lifetime"] = self._random.choice((1, 59, 60, 2**32))
        if self._random.random() < 0.1:
            case["policies"] = [*case.get("policies", []), self._policy()]
        return case

    def _policy(self) -> Case:
        some, unstated = self._random.randrange(3), self._random.random() < 0.5
        match self._random.randrange(8):
            case 0:
                accept: list[Any] = self._random.sample(("01301", "02121", "00000"), some)
                return {"policy": "purpose", "accept": accept, "accept_unstated": unstated}
            case 1:
                accept = self._random.sample((0, 2, 65535), some)
                return {"policy": "channel", "accept": accept, "accept_unstated": unstated}
            case 2:
                return {"policy": "profiles", "accept": self._random.sample((1, 2, 3), some)}
            case 3:
                prefixes = self._random.sample(("33", "3301", "11"), some)
                return {"policy": "insured_place", "prefixes": prefixes, "exclusions": ["330199"] if unstated else []}
            case 4:
                return {"policy": "minimum_assurance", "level": self._random.choice((0, 1, 3, 255))}
            case 5:
                return {"policy": "maximum_age", "seconds": self._random.choice((0, 5, 3605))}
            case 6:
                return {"policy": "holder_only"}
        return {"policy": "any_of", "policies": [self._policy() for _ in range(1 + some)]}

    # --- the kinds of input

    def _token(self) -> tuple[str, Case]:
        case = self._settings(self._pick("token"))
        text = self._letters(case["text"])
        if self._random.random() < 0.5 and text[:-2].isascii() and text[:-2].isdigit():
            text = kit.framed(text[:-2])
        return "text", case | {"text": text}

    def _spelled(self) -> tuple[str, Case]:
        case = self._settings(self._pick("token"))
        text = case["text"]
        otp = text[-10:-2] if text[:2] == "97" else ""
        digits = text[2 : -2 - len(otp)]
        if not text.isascii() or not text.isdigit() or len(digits) % 17 not in _LAST_BYTES:
            return self._token()
        data = bytearray()
        for at in range(0, len(digits), 17):
            group = digits[at : at + 17]
            size = 7 if len(group) == 17 else _LAST_BYTES[len(group)]
            data += (int(group) % 256**size).to_bytes(size, "little")
        return "bytes", case | {"text": kit.framed(text[:2] + kit.groups(self._bytes(bytes(data))) + otp)}

    def _signed(self) -> tuple[str, Case]:
        claims = self._bytes(
            kit.payload(
                **self._random.choice(
                    (
                        {},
                        {"extras": b"\xa2\x01\x02\x02\x19\x05\x15"},
                        {"extras": b"\xa1\x05\x1a\x00\x12\x34\x56"},
                        {"map": b"\xa5", "cnf": passes.cnf(), "profile": b"\x03"},
                        {"profile": b"\x02"},
                        {
                            "extras": b"\xa5\x01\x02\x02\x19\x05\x15\x03"
                            + kit.bstr(kit.PRESENTER)
                            + b"\x04\x03\x05\x18\x63"
                        },
                    )
                )
            )
        )
        prefix = self._random.choice(("96", "96", "96", "97"))
        key = KEY_S if self._random.random() < 0.05 else kit.KEY_A
        data = kit.token(claims, key=key) if len(claims) < 256 else kit.token()
        otp = "01234567" if prefix == "97" else ""
        case = kit.case("", "", kit.framed(prefix + kit.groups(data) + otp), {}, keys=[key.jwk()], max_lifetime=2**32)
        return "claims", self._settings(self._question(case))

    def _display(self) -> tuple[str, Case]:
        content, envelope = passes.shown(), {}
        if self._random.random() < 0.2:
            content, envelope = self._phone()
        elif self._random.random() < 0.5:
            claims = self._bytes(
                kit.payload(map=b"\xa5", exp=b"\x04" + kit.uint(passes.PASS_EXP), cnf=passes.cnf(), profile=b"\x03")
            )
            data = kit.token(claims) if len(claims) < 150 else passes.device_pass()
            content = passes.shown(data) if len(data) < 230 else content
        else:
            content = self._bytes(content)
        shown = passes.presentation(content[:255], **envelope)
        case = passes.pass_case("", "", passes.device_text(shown), {}, max_pass_lifetime=2**32)
        return "display", self._settings(self._question(case))

    def _phone(self) -> tuple[bytes, dict[str, bytes]]:
        """What a phone signs whose key is often no point, and the envelope with a signature that is never good."""
        phone = self._random.choice((passes.PHONE, passes.SM2_PHONE, passes.SM2_PHONE))
        near_p = (P + self._random.randrange(-50, 50)).to_bytes(32, "big")
        x = self._random.choice((phone.x, ABOVE_P[0], near_p, bytes(31) + near_p[-1:], self._random.randbytes(32)))
        data = passes.device_pass(cnf=passes.cnf(phone).replace(phone.x, x))
        header = self._random.choice((SM2_HEADER, SM2_HEADER, b"\xa1\x01\x26"))
        signature = self._random.choice((bytes(64), b"\x01" * 64, b"\xff" * 64, self._random.randbytes(64)))
        return passes.shown(data), {"protected": kit.bstr(header), "signature": b"\x58\x40" + signature}

    @staticmethod
    def _question(case: Case) -> Case:
        return {"family": "random"} | {name: value for name, value in case.items() if name not in ("why", "expect")}

    def _scan(self) -> tuple[str, Case]:
        case = self._pick("scan")
        return "scan", case | {"scanned": self._letters(case["scanned"])}

    def _challenge(self) -> tuple[str, Case]:
        case = self._pick("challenge")
        text = self._letters(case["text"])
        if self._random.random() < 0.7 and text[:-2].isascii() and text[:-2].isdigit():
            text = kit.framed(text[:-2])
        return "challenge", case | {"text": text}

    def _ring(self) -> tuple[str, Case]:
        case = json.loads(json.dumps(self._pick("ring")))
        if self._random.random() < 0.05:
            case["jwks"]["yb_version"] = self._random.choice(_ODD_VALUES)
        if keys := [key for key in case["jwks"]["keys"] if isinstance(key, dict)]:
            key, name = self._random.choice(keys), ""
            for _ in range(self._random.choice((1, 2))):
                name = self._random.choice(
                    [
                        *key,
                        "nbf",
                        "exp",
                        "yb_scope",
                        "yb_except",
                        "yb_use",
                        "use",
                        "yb_status_uri",
                        "yb_withdrawn_since",
                        "yb_user_id",
                        "ext",
                        "x5c",
                    ]
                )
                value = key.get(name)
                if isinstance(value, str) and self._random.random() < 0.5:
                    key[name] = self._letters(value)
                elif self._random.random() < 0.2:
                    key.pop(name, None)
                elif self._random.random() < 0.2:  # some languages take an array of one item for the item
                    key[name] = self._random.choice(([value], [[value]], {name: value}, [value, value]))
                else:
                    key[name] = self._random.choice(_ODD_VALUES)
        return "ring", case

    def _document(self) -> tuple[str, Case]:
        case = self._pick("document")
        if len(case["document"]) > 4000:
            return self._ring()
        return "document", case | {"document": self._bytes(bytes.fromhex(case["document"])).hex()}

    def _keyset(self) -> tuple[str, Case]:
        case = self._pick("keyset")
        return "keyset", case | {"keyset": self._bytes(bytes.fromhex(case["keyset"])).hex()}

    def _header(self) -> bytes:
        """Any header of zlib whose check bits are right: its window, its level, and whether it has a dictionary."""
        stated = self._random.randrange(11) << 12 | 0x0800 | self._random.randrange(8) << 5
        return (stated + 31 - stated % 31).to_bytes(2, "big")

    def _list(self) -> tuple[str, Case]:
        case = self._pick("list")
        match self._random.randrange(3):
            case 0:
                data = self._bytes(bytes.fromhex(case["list"]))
            case 1:
                data = statuslist.status_list(self._bytes(statuslist.content()))
            case _:
                packed = self._random.choice((bytes.fromhex("78da3be9f2130003df0207"), statuslist.far()))
                packed = self._bytes(packed) if self._random.random() < 0.7 else self._header() + packed[2:]
                data = statuslist.status_list(statuslist.content(list=statuslist.list_of(2, packed)))
        return "list", case | {"list": data.hex(), "indexes": ["0", "1", "2", "11", "12", "4294967295"]}


def main() -> int:
    """Compare, and report; 1 if two verifiers disagree."""
    parser = argparse.ArgumentParser(description=__doc__.partition(":")[0] if __doc__ else None)
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--kinds", nargs="+", metavar="KIND", help="only these: ring document keyset, ...")
    parser.add_argument("--seed", type=int, help="by default another one each time")
    parser.add_argument(
        "--with", dest="programs", action="append", required=True, metavar="COMMAND", help="two or more"
    )
    options = parser.parse_args()
    seed = random.SystemRandom().randrange(2**32) if options.seed is None else options.seed
    print(f"seed {seed}", flush=True)
    source = Source(seed, options.kinds)
    programs = [Program(command.split()) for command in options.programs]
    kinds: Counter[str] = Counter()
    accepted: Counter[str] = Counter()
    began, differing, pool = time.monotonic(), 0, ThreadPoolExecutor(len(programs))
    for done in range(0, options.count, _CHUNK):
        made = [source.case() for _ in range(min(_CHUNK, options.count - done))]
        answers = list(pool.map(Program.ask_many, programs, repeat([case for _, case in made])))
        for (kind, case), *found in zip(made, *answers, strict=True):
            kinds[kind] += 1
            outcomes = [answer.get("outcome", answer.get("error")) for answer in found]
            first = outcomes[0]
            accepted[kind] += isinstance(first, dict) and first != {"ring": "refused"} and "code" not in first
            if any("error" in answer or not same(answer, found[0]) for answer in found):
                differing += 1
                print(json.dumps(case))
                for program, outcome in zip(programs, outcomes, strict=True):
                    print(f"  {program.name}: {json.dumps(outcome)}")
    for program in programs:
        program.close()
    about = ", ".join(f"{kind} {number} ({accepted[kind]} accepted)" for kind, number in sorted(kinds.items()))
    print(f"{about}\n{sum(kinds.values())} inputs, {differing} differences, {time.monotonic() - began:.0f} s")
    print(f"compared: {', '.join(program.name for program in programs)}; seed {seed}")
    return 1 if differing else 0


if __name__ == "__main__":
    raise SystemExit(main())
