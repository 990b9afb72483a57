"""What requests and answers hold: the schemas of OpenAPI."""

from __future__ import annotations

import re
from functools import cache, lru_cache
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from ybtoken import VerifiedVoucher
from ybtoken.places import PROVINCES, describe_place
from ybtoken.refusals import BY_CODE
from ybtoken.vocabulary import PURPOSES
from ybtoken.wire.text import MAX_TEXT
from ybtoken.words import Words as TemplateWords

from .problems import Problem, Words

_FACT = re.compile(r"\{\w+\}")

MOST_TEXTS = 10_000
MOST_REDEEMED = 1024
"""In one request: the answer holds half a kilobyte a text."""
MOST_MEMBERS = 16
LONGEST_SCAN = 2 * MAX_TEXT

CityCode = Annotated[str, Field(pattern=r"^[0-9]{6}$", examples=["330100"])]
Purpose = Annotated[str, Field(pattern=r"^[0-9]{5}$", examples=["01301"])]
Hex32 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
# Longer than a text may be: what scanners add is taken away first, and what is too long then is refused by its code.
Scan = Annotated[str, Field(min_length=1, max_length=LONGEST_SCAN)]


class Strict(BaseModel):
    """A body without unknown members."""

    model_config = ConfigDict(extra="forbid")


class EnrolRequest(Strict):
    """Who is about to bind a phone."""

    holder: str = Field("demo1", pattern=r"^[0-9A-Za-z]{1,32}$")


class EnrolmentChallenge(BaseModel):
    """What the phone signs, together with its public key, within two minutes."""

    challenge: str


class DeviceKey(Strict):
    """A phone's public key on P-256, with the proof that the phone holds it; all in hex."""

    x: Hex32
    y: Hex32
    challenge: Hex32 = Field(description="of /enrol, for the same holder")
    signature: str = Field(pattern=r"^[0-9a-f]{128}$", description="r || s, by this key, over the challenge and x, y")


class IssueRequest(Strict):
    """Whose code, of which kind, for what."""

    holder: str = Field("demo1", pattern=r"^[0-9A-Za-z]{1,32}$", description="who holds it; a number of a document")
    city_code: CityCode = "330100"
    profile: Literal[1, 2, 3] = 1
    purpose: Purpose | None = None
    channel: int | None = Field(None, ge=0, le=0xFFFF)
    assurance: int | None = Field(None, ge=0, le=0xFF)
    device_key: DeviceKey | None = Field(None, description="profile 3: the key that the phone made")


class Issued(BaseModel):
    """A voucher's text (profile 1), or a pass (profiles 2 and 3) of which the phone makes texts."""

    profile: int
    issued_at: int
    expires_at: int
    now: int = Field(description="the platform's clock: a phone shows its codes by it")
    text: str | None = None
    pass_: str | None = Field(None, alias="pass", description="the pass, in hex")
    secret: str | None = Field(None, description="profile 2: the secret of its one-time codes, in hex")
    status_index: int | None = None


class PresentRequest(Strict):
    """A text to draw."""

    text: str = Field(pattern=r"^9[5-8][0-9]{2,798}$")


class Presented(BaseModel):
    """A QR code with its quiet zone, black on white."""

    svg: str
    version: int


class Place(Strict):
    """Which terminal scanned, and where it stands."""

    terminal: str = Field("", pattern=r"^[A-Za-z0-9._-]{0,32}$")
    place: CityCode | None = Field(None, description="where the terminal stands")


class Counter(Place):
    """Which terminal scanned, where it stands, and what it asked."""

    challenge: str | None = Field(
        None, pattern=r"^95[0-9]{2,798}$", description="the challenge that this terminal showed, if it did"
    )


class ScanRequest(Counter):
    """What a scanner read; what scanners add is taken away here."""

    text: Scan


class HandIn(Place):
    """What a terminal accepted by itself while this gateway was away, and when."""

    text: Scan
    at: int = Field(ge=0, le=0xFFFF_FFFF, description="when it was accepted, in seconds since 1970")
    id: str | None = Field(
        None,
        pattern=r"^[0-9a-f]{32}$",
        description="the acceptance's own random number: what was taken is taken again under it, if an answer was lost",
    )


class Note(BaseModel):
    """A condition under which a voucher was accepted."""

    code: str
    what: Words


class Accepted(BaseModel):
    """A verified voucher. It names the holder by a reference that only the platform can open."""

    code: Literal["accepted"] = "accepted"
    profile: int
    issuer: str
    kid: str
    city_code: str
    place: Words
    purpose: str | None
    purpose_name: Words | None
    channel: int | None
    assurance: int | None
    issued_at: int
    expires_at: int
    verified_at: int
    identity_ref: str
    replay_key: str
    notes: list[Note]


def accepted(voucher: VerifiedVoucher) -> dict[str, Any]:
    """What a terminal is told of a voucher, as the members of `Accepted`."""
    # Plain values and no model: they come from a verified voucher, and to check them again would take as long as to
    # verify its signature.
    return {
        "code": "accepted",
        "profile": int(voucher.profile),
        "issuer": voucher.issuer,
        "kid": voucher.kid.hex(),
        "city_code": voucher.city_code,
        "place": _place(voucher.city_code),
        "purpose": voucher.purpose,
        "purpose_name": _purpose(voucher.purpose or ""),
        "channel": voucher.channel,
        "assurance": voucher.assurance,
        "issued_at": voucher.issued_at,
        "expires_at": voucher.expires_at,
        "verified_at": voucher.verified_at,
        "identity_ref": voucher.identity_ref.hex(),
        "replay_key": voucher.replay_key.hex(),
        "notes": [{"code": note.code, "what": note.what._asdict()} for note in voucher.notes],
    }


@lru_cache(4096)
def _place(city_code: str) -> dict[str, str]:
    return describe_place(city_code)._asdict()


@lru_cache(4096)
def _purpose(purpose: str) -> dict[str, str] | None:
    return PURPOSES[purpose]._asdict() if purpose in PURPOSES else None


class Batch(Strict):
    """A body of up to 8 MiB: with a member in every ten bytes, an error for each would take gigabytes."""

    @model_validator(mode="before")
    @classmethod
    def _few(cls, given: Any) -> Any:
        if isinstance(given, dict) and len(given) > MOST_MEMBERS:
            raise ValueError(f"at most {MOST_MEMBERS} members")
        return given


class RedeemBatchRequest(Batch, Counter):
    """What one terminal's scanner read: texts of any kind, for one bad scan must not hold up the others."""

    texts: list[str] = Field(max_length=MOST_REDEEMED)


class Outcomes(BaseModel):
    """What became of each text, in order: the voucher, or the problem that /redeem answers with."""

    accepted: int
    outcomes: list[Accepted | Problem]


class BatchRequest(Batch):
    """Recorded scans, texts of any kind, and the time at which they were made."""

    texts: list[str] = Field(max_length=MOST_TEXTS)
    now: int | None = Field(None, ge=0, le=0xFFFF_FFFF, description="judge by this time; by the clock if left out")


class BatchVerdicts(BaseModel):
    """One code a text, in order: "accepted", or why not."""

    accepted: int
    counts: dict[str, int]
    codes: list[str]


class ChallengeRequest(Strict):
    """Which terminal asks, and for what."""

    terminal: str = Field(pattern=r"^[A-Za-z0-9._-]{1,32}$")
    purpose: Purpose = "01301"


class ChallengeIssued(BaseModel):
    """A challenge, to be shown to the phone: as a text and as a picture."""

    text: str
    svg: str


class PassStatus(BaseModel):
    """What the next status list says of a pass."""

    status_index: int
    status: Literal["valid", "invalid", "suspended"]


class StatusChange(Strict):
    """Freeze (冻结), lift the freeze (解冻), or revoke for good (撤销)."""

    act: Literal["suspend", "reinstate", "revoke"]


class Config(BaseModel):
    """What the pages have to know."""

    lifetime: int
    algorithm: str
    guard: Literal["file", "memory", "redis"]
    place: str
    place_name: Words
    now: int
    skew: int = Field(description="by how many seconds clocks may differ")
    max_lifetime: int = Field(description="the longest validity of vouchers that is accepted, in seconds")
    keys_until: int = Field(description="until when a terminal may verify by itself with the keys that it fetches now")
    stale: Words | None = Field(description="what a person has to know about the key ring; null if it is up to date")
    status_uri: str = Field(description="the address that the status list states")
    purposes: dict[str, Words]


class RefusalWords(BaseModel):
    """What happened, and what the person at the counter does."""

    what: Words
    remedy: Words
    cannot_check: bool = Field(description="the fault is on this side, and never the holder's")


class CounterWords(BaseModel):
    """What a terminal has to say by itself while the gateway is away."""

    refusals: dict[str, RefusalWords] = Field(description="by code; … stands for what only this refusal knows")
    places: dict[str, Words] = Field(description="by the first four digits of a city code")
    purposes: dict[str, Words]


@cache
def words() -> CounterWords:
    """The library's words, which are found once: to name 3,500 places takes 10 ms."""
    refusals = {
        code: RefusalWords(what=_general(row.what), remedy=_general(row.remedy), cannot_check=row.cannot_check)
        for code, row in BY_CODE.items()
    }
    codes = (f"{province}{city:02}00" for province in PROVINCES for city in range(100))
    names = {code[:4]: describe_place(code) for code in codes}
    # A name with its code beside it is that of no place but of its province.
    places = {prefix: Words.of(name) for prefix, name in names.items() if prefix not in name.en}
    purposes = {code: Words.of(name) for code, name in PURPOSES.items()}
    return CounterWords(refusals=refusals, places=places, purposes=purposes)


def _general(template: TemplateWords) -> Words:
    return Words(en=_FACT.sub("…", template.en), zh=_FACT.sub("…", template.zh))


class Health(BaseModel):
    """All is well; else the answer is a problem."""

    status: Literal["ok"] = "ok"
