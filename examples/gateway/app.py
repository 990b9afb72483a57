"""The gateway's endpoints (OpenAPI at /openapi.json) and its two pages.

To issue, freeze or revoke is the platform's business: a real one asks for its operators' credentials there. This
example has none, and listens on the loopback only.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import FastAPI, HTTPException
from fastapi import Path as PathParameter
from fastapi.responses import FileResponse, PlainTextResponse, Response
from fastapi.staticfiles import StaticFiles
from pydantic import BaseModel, ConfigDict, Field

from ybtoken import MemoryReplayGuard, Profile, VerifiedVoucher, normalize_scan
from ybtoken.backends.p256 import P256VerifyingKey
from ybtoken.challenge import Challenge
from ybtoken.issuer import Extras
from ybtoken.keyset import dump_jwks
from ybtoken.places import describe_place
from ybtoken.qr import QrCode
from ybtoken.refusals import BY_CODE
from ybtoken.text import MAX_TEXT
from ybtoken.voucher import PURPOSES

from .problems import REFUSED, Problem, Words, install, responses
from .settings import Settings
from .shield import Shield
from .world import STATUS_TTL, World

STATIC = Path(__file__).parent / "static"
MOST_TEXTS = 10_000
OFFLOAD_ABOVE = 8
"""Batches of more texts than this are verified in a thread: these take about as long as the thread's start is worth."""
SLICE = 64
"""So many texts are verified at a time in that thread, for a client that went away to be noticed, and others served."""

CityCode = Annotated[str, Field(pattern=r"^[0-9]{6}$", examples=["330100"])]
Purpose = Annotated[str, Field(pattern=r"^[0-9]{5}$", examples=["01301"])]
Hex32 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Index = Annotated[int, PathParameter(ge=0, le=0xFFFF)]
# Longer than a text may be: what scanners add is taken away first, and what is too long then is refused by its code.
Scan = Annotated[str, Field(min_length=1, max_length=2 * MAX_TEXT)]


class Strict(BaseModel):
    """A body without unknown members."""

    model_config = ConfigDict(extra="forbid")


class DeviceKey(Strict):
    """A phone's public key on P-256: its coordinates, 32 bytes each, in hex."""

    x: Hex32
    y: Hex32


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


class ScanRequest(Strict):
    """What a scanner read; what scanners add is taken away here."""

    text: Scan
    terminal: str = Field("", pattern=r"^[A-Za-z0-9._-]{0,32}$")
    place: CityCode | None = Field(None, description="where the terminal stands")
    challenge: str | None = Field(
        None, pattern=r"^95[0-9]{2,798}$", description="the challenge that this terminal showed, if it did"
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

    @classmethod
    def of(cls, voucher: VerifiedVoucher) -> Accepted:
        """What is told of a voucher."""
        purpose = PURPOSES.get(voucher.purpose or "")
        return cls(
            profile=voucher.profile,
            issuer=voucher.issuer,
            kid=voucher.kid.hex(),
            city_code=voucher.city_code,
            place=_words(describe_place(voucher.city_code)),
            purpose=voucher.purpose,
            purpose_name=_words(purpose) if purpose else None,
            channel=voucher.channel,
            assurance=voucher.assurance,
            issued_at=voucher.issued_at,
            expires_at=voucher.expires_at,
            verified_at=voucher.verified_at,
            identity_ref=voucher.identity_ref.hex(),
            replay_key=voucher.replay_key.hex(),
            notes=[Note(code=note.code, what=_words(note.what)) for note in voucher.notes],
        )


class BatchRequest(Strict):
    """Recorded scans, and the time at which they were made."""

    texts: list[Scan] = Field(max_length=MOST_TEXTS)
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
    guard: Literal["memory", "redis"]
    place: str
    now: int
    purposes: dict[str, Words]


class Health(BaseModel):
    """All is well; else the answer is a problem."""

    status: Literal["ok"] = "ok"


def _words(words: Any) -> Words:
    return Words(en=words.en, zh=words.zh)


def create_app(world: World | None = None) -> FastAPI:
    """The application; its settings are those of the environment unless a world is given."""
    if world is None:
        world = World(Settings.from_environment())

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await asyncio.to_thread(world.refresh_statuses)
        keeping = asyncio.create_task(_keep_statuses(world))
        try:
            yield
        finally:
            keeping.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await keeping
            await world.aclose()

    app = FastAPI(
        title="ybtoken gateway",
        version="1",
        summary="Issue, present, verify and redeem dynamic-QR vouchers",
        description=__doc__ or "",
        lifespan=lifespan,
        docs_url=None,  # the usual pages load scripts from elsewhere
        redoc_url=None,
        responses=responses(),
    )
    app.add_middleware(Shield)
    install(app)
    _platform(app, world)
    _terminal(app, world)
    _operations(app, world)
    _pages(app)
    _describe(app)
    return app


async def _keep_statuses(world: World) -> None:
    while True:
        await asyncio.sleep(STATUS_TTL)
        try:
            await asyncio.to_thread(world.refresh_statuses)
        except Exception:  # the list that is held ends by itself, and passes are refused from then on
            logging.getLogger(__name__).exception("the status list was not published")


def _platform(app: FastAPI, world: World) -> None:
    @app.post("/issue", tags=["platform"], response_model_exclude_none=True, responses=responses(503))
    def issue(request: IssueRequest) -> Issued:
        """Issue a voucher (profile 1), or a pass from which the phone makes codes by itself (profiles 2 and 3)."""
        profile = Profile(request.profile)
        if (profile is Profile.DEVICE_BOUND) != (request.device_key is not None):
            raise HTTPException(400, "a pass of profile 3 needs a device_key, and nothing else has one")
        person, now = world.person(request.holder), world.now
        ref = world.sealer.seal(person, at=now)
        extras = Extras(channel=request.channel, purpose=request.purpose, assurance=request.assurance)
        if profile is Profile.VOUCHER:
            token = world.issuer.issue(ref, request.city_code, now=now, **extras)
            voucher = token.voucher
            return Issued(
                profile=1, issued_at=now, expires_at=voucher.expires_at, now=now, text=token.text, **{"pass": None}
            )
        try:
            extras["status_index"] = world.registry.enter(now + 24 * 3600, person=person, channel=request.channel)
        except RuntimeError as full:
            raise HTTPException(503, "the status list is full: no more passes today") from full
        secret = None
        if request.device_key is None:
            issued = world.issuer.issue_rotating_pass(ref, request.city_code, now=now, **extras)
            secret = world.codes.enrol(issued).secret.hex()
        else:
            try:
                x, y = bytes.fromhex(request.device_key.x), bytes.fromhex(request.device_key.y)
                key = P256VerifyingKey.from_point(x, y)
            except ValueError as error:
                raise HTTPException(400, "the device_key is no point of P-256") from error
            issued = world.issuer.issue_device_bound_pass(ref, request.city_code, key, now=now, **extras)
        return Issued(
            profile=request.profile,
            issued_at=now,
            expires_at=issued.voucher.expires_at,
            now=now,
            secret=secret,
            status_index=issued.voucher.status_index,
            **{"pass": issued.data.hex()},
        )

    @app.post("/present", tags=["platform"])
    def present(request: PresentRequest) -> Presented:
        """Draw a text as a QR code; what a phone's app does by itself."""
        code = QrCode(request.text)
        return Presented(svg=code.svg(scale=1), version=code.version)

    @app.get("/status/list", tags=["platform"], response_class=Response)
    def status_list() -> Response:
        """The signed status list that verifiers fetch (``application/statuslist+cwt``)."""
        return Response(world.published, media_type="application/statuslist+cwt")

    @app.get("/status/{index}", tags=["platform"])
    def status(index: Index) -> PassStatus:
        """What the next list says of a pass."""
        return PassStatus(status_index=index, status=_status_name(world, index))

    @app.post("/status/{index}", tags=["platform"])
    def change_status(index: Index, change: StatusChange) -> PassStatus:
        """Freeze a pass, lift the freeze, or revoke it for good. Verifiers know within 5 s."""
        getattr(world.registry, change.act)(index=index)
        world.refresh_statuses()
        return PassStatus(status_index=index, status=_status_name(world, index))

    @app.get("/keys", tags=["platform"], response_class=Response)
    def keys() -> Response:
        """The public key ring, as a JWK Set: all that a verifier elsewhere needs."""
        return Response(dump_jwks(world.keys), media_type="application/jwk-set+json")


def _status_name(world: World, index: int) -> Any:
    return world.registry.status(index).name.lower()


def _terminal(app: FastAPI, world: World) -> None:
    # One signature check is a fraction of a millisecond: it is done where the request is, and a thread for it would
    # cost as much. Many of them are not: see verify_batch.
    @app.post("/verify", tags=["terminal"], responses=responses(*REFUSED))
    async def verify(request: ScanRequest) -> Accepted:
        """Verify a code; it stays good for one use."""
        return Accepted.of(world.watch.verify(normalize_scan(request.text), **_asked(request)))

    @app.post("/redeem", tags=["terminal"], responses=responses(*REFUSED))
    async def redeem(request: ScanRequest) -> Accepted:
        """Verify a code and use it up: of all calls for one display, one is answered with 200."""
        return Accepted.of(await world.watch.redeem_async(normalize_scan(request.text), **_asked(request)))

    @app.post("/verify-batch", tags=["terminal"])
    async def verify_batch(batch: BatchRequest) -> BatchVerdicts:
        """Verify recorded scans; a bad one is a verdict and no error."""
        texts = [normalize_scan(text) for text in batch.texts]
        now = world.now if batch.now is None else batch.now
        codes: list[str] = []
        for start in range(0, len(texts), SLICE):
            part = texts[start : start + SLICE]
            if len(texts) <= OFFLOAD_ABOVE:
                verdicts = world.watch.verifier.verify_many(part, now=now)
            else:
                verdicts = await asyncio.to_thread(world.watch.verifier.verify_many, part, now=now)
            world.metrics.observe_batch(verdicts)
            codes += [_NAMES[number] for number in verdicts.codes]
        counts = {code: codes.count(code) for code in dict.fromkeys(codes)}
        accepted = counts.pop("accepted", 0)
        return BatchVerdicts(accepted=accepted, counts=counts, codes=codes)

    @app.post("/challenge", tags=["terminal"])
    def challenge(request: ChallengeRequest) -> ChallengeIssued:
        """Make a challenge: a phone with a pass of profile 3 answers it, and no other code is accepted then."""
        made = Challenge.new(request.terminal, request.purpose)
        return ChallengeIssued(text=made.text, svg=made.qr.svg(scale=1))


_NAMES = {0: "accepted"} | {refusal.number: code for code, refusal in BY_CODE.items()}


def _asked(request: ScanRequest) -> dict[str, Any]:
    challenge = None
    if request.challenge is not None:
        try:
            challenge = Challenge.from_text(request.challenge)
        except ValueError as error:
            raise HTTPException(400, str(error)) from error
    return {"challenge": challenge, "terminal": request.terminal, "place": request.place}


def _operations(app: FastAPI, world: World) -> None:
    @app.get("/health/live", tags=["operations"])
    async def live() -> Health:
        """The process answers."""
        return Health()

    @app.get("/health/ready", tags=["operations"], responses=responses(503))
    async def ready() -> Health:
        """A code can be issued, verified and redeemed now; else 503 with the reason."""
        await world.check_ready()
        return Health()

    @app.get("/metrics", tags=["operations"], response_class=PlainTextResponse)
    def metrics() -> PlainTextResponse:
        """Counters for Prometheus, of the worker that answers."""
        held = {"guard_claims": len(world.guard)} if isinstance(world.guard, MemoryReplayGuard) else {}
        return PlainTextResponse(world.metrics.text(**held), media_type="text/plain; version=0.0.4")

    @app.get("/config", tags=["operations"])
    def config() -> Config:
        """What the pages have to know."""
        return Config(
            lifetime=world.settings.lifetime,
            algorithm=world.keys.entries[0].key.algorithm.name,
            guard="redis" if world.settings.redis else "memory",
            place=world.settings.place,
            now=world.now,
            purposes={code: _words(name) for code, name in PURPOSES.items()},
        )

    @app.get("/problems/{code}", tags=["operations"], responses=responses(404))
    def problem(code: str) -> Problem:
        """What a refusal's code means: the page that the ``type`` of a problem names."""
        row = BY_CODE.get(code)
        if row is None:
            raise HTTPException(404, "no such code")
        return Problem(
            type=f"/problems/{code}",
            title=row.what.en,
            status=200,
            code=code,
            step=row.step,
            what=_words(row.what),
            remedy=_words(row.remedy),
            hint=_words(row.hint),
        )


def _pages(app: FastAPI) -> None:
    for path, name in (("/", "index"), ("/phone", "phone"), ("/terminal", "terminal")):

        def page(name: str = name) -> FileResponse:
            return FileResponse(STATIC / f"{name}.html")

        app.add_api_route(path, page, include_in_schema=False)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")


def _describe(app: FastAPI) -> None:
    """Let OpenAPI say what is so: a request that is not what an endpoint takes is 400, as a problem."""
    made = app.openapi

    def openapi() -> dict[str, Any]:
        schema = made()
        schemas = schema["components"]["schemas"]
        for name in ("HTTPValidationError", "ValidationError"):
            schemas.pop(name, None)
        for path in schema["paths"].values():
            for operation in path.values():
                stated = operation["responses"].get("422", {})
                if "HTTPValidationError" in str(stated):
                    del operation["responses"]["422"]
        return schema

    app.openapi = openapi  # type: ignore[method-assign]
