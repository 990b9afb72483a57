"""The gateway's endpoints (OpenAPI at /openapi.json, for people at /docs) and its pages.

To issue, freeze or revoke is the platform's business: a real one asks for its operators' credentials there, and for the
terminal's at hand-in, because a hand-in uses a code up without the terminal in front of it. This example asks nobody,
and listens on the loopback only.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Annotated, Any

from fastapi import FastAPI, HTTPException
from fastapi import Path as PathParameter
from fastapi.responses import FileResponse, JSONResponse, PlainTextResponse, Response
from fastapi.staticfiles import StaticFiles

from ybtoken import CannotCheckError, MemoryReplayGuard, Profile, TokenError, VerifiedVoucher, normalize_scan
from ybtoken.issuer import ClaimArguments
from ybtoken.keys.keyset import dump_jwks
from ybtoken.keys.p256 import P256VerifyingKey
from ybtoken.misuse import MISUSES
from ybtoken.observers.observed import ObservedVerifier
from ybtoken.passes.challenge import Challenge
from ybtoken.places import describe_place
from ybtoken.qr import QrCode
from ybtoken.refusals import BY_CODE
from ybtoken.vocabulary import PURPOSES

from .bodies import (
    LONGEST_SCAN,
    Accepted,
    BatchRequest,
    BatchVerdicts,
    ChallengeIssued,
    ChallengeRequest,
    Config,
    Counter,
    CounterWords,
    EnrolmentChallenge,
    EnrolRequest,
    HandIn,
    Health,
    Issued,
    IssueRequest,
    Outcomes,
    PassStatus,
    Presented,
    PresentRequest,
    RedeemBatchRequest,
    ScanRequest,
    StatusChange,
    accepted,
    words,
)
from .direct import direct
from .problems import OF_CODES, REFUSED, REQUESTS, Problem, RequestError, Words, install, problem_of, responses
from .settings import Settings
from .shield import Shield
from .used import OLDEST_HAND_IN
from .world import RINGS_EVERY, STATUS_TTL, STATUS_URI, World

_log = logging.getLogger(__name__)
STATIC = Path(__file__).parent / "static"
VERIFIER = Path(__file__).parent.parent.parent / "js" / "src"
"""The verifier for browsers, as it is: it needs no build step."""
NOBLE = VERIFIER.parent / "node_modules" / "@noble"
STATUS_LIST, JWK_SET = "application/statuslist+cwt", "application/jwk-set+json"
"""Media types."""
KEYS_LIFE = 24 * 3600
"""For so many seconds a terminal may verify by itself with the key ring that it has seen last."""
SLICE = 64
"""So many texts are verified at a time, for a client that went away to be noticed, and others served."""

Index = Annotated[int, PathParameter(ge=0, le=0xFFFF)]


def create_app(world: World | None = None) -> FastAPI:
    """The application; its settings are those of the environment unless a world is given."""
    if world is None:
        world = World(Settings.from_environment())

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await asyncio.to_thread(world.refresh_statuses)
        keeping = [
            asyncio.create_task(_keep(STATUS_TTL, world.refresh_statuses)),  # a list that is held ends by itself
            asyncio.create_task(_keep(RINGS_EVERY, world.refresh_rings)),
        ]
        try:
            yield
        finally:
            for task in keeping:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task
            await world.aclose()

    app = FastAPI(
        title="ybtoken gateway",
        version="1",
        summary="Issue, present, verify and redeem dynamic-QR vouchers",
        description=__doc__ or "",
        lifespan=lifespan,
        docs_url=None,  # the usual pages load scripts from elsewhere; static/docs.html does not
        redoc_url=None,
        redirect_slashes=False,  # an address has one spelling
        responses=responses(),
    )
    app.add_middleware(Shield, hosts=world.settings.hosts.split(","))
    install(app)
    _platform(app, world)
    _terminal(app, world)
    _operations(app, world)
    _pages(app)
    _describe(app)
    return app


async def _keep(every: int, refresh: Callable[[], None]) -> None:
    """Call a function again and again, beside the requests. A failure is logged; what is held stays until its end."""
    while True:
        await asyncio.sleep(every)
        try:
            await asyncio.to_thread(refresh)
        except Exception:
            _log.exception("%s failed", refresh.__name__)


def _platform(app: FastAPI, world: World) -> None:
    @app.post("/issue", tags=["platform"], response_model_exclude_none=True, responses=responses(503))
    def issue(request: IssueRequest) -> Issued:
        """Issue a voucher (profile 1), or a pass from which the phone makes codes by itself (profiles 2 and 3)."""
        profile = Profile(request.profile)
        if (profile is Profile.DEVICE_BOUND) != (request.device_key is not None):
            raise HTTPException(400, "a pass of profile 3 needs a device_key, and nothing else has one")
        person, now = world.person(request.holder), world.now
        ref = world.sealer.seal(person, at=now)
        optional = ClaimArguments(channel=request.channel, purpose=request.purpose, assurance=request.assurance)
        if profile is Profile.VOUCHER:
            token = world.issuer.issue(ref, request.city_code, now=now, **optional)
            voucher = token.voucher
            return Issued(
                profile=1, issued_at=now, expires_at=voucher.expires_at, now=now, text=token.text, **{"pass": None}
            )
        try:
            optional["status_index"] = world.registry.enter(now + 24 * 3600, person=person, channel=request.channel)
        except RuntimeError as full:
            raise HTTPException(503, "the status list is full: no more passes today") from full
        secret = None
        if request.device_key is None:
            issued = world.issuer.issue_rotating_pass(ref, request.city_code, now=now, **optional)
            secret = world.codes.enrol(issued).secret.hex()
        else:
            try:
                x, y = bytes.fromhex(request.device_key.x), bytes.fromhex(request.device_key.y)
                key = P256VerifyingKey.from_point(x, y)
            except ValueError as error:
                raise HTTPException(400, "the device_key is no point of P-256") from error
            challenge, proof = bytes.fromhex(request.device_key.challenge), bytes.fromhex(request.device_key.signature)
            world.enrolment.check(request.holder, challenge, key, proof)
            issued = world.issuer.issue_device_bound_pass(ref, request.city_code, key, now=now, **optional)
        return Issued(
            profile=request.profile,
            issued_at=now,
            expires_at=issued.voucher.expires_at,
            now=now,
            secret=secret,
            status_index=issued.voucher.status_index,
            **{"pass": issued.data.hex()},
        )

    @app.post("/enrol", tags=["platform"])
    def enrol(request: EnrolRequest) -> EnrolmentChallenge:
        """Make a challenge, by which a phone proves that it holds the key that a pass of profile 3 is to name."""
        return EnrolmentChallenge(challenge=world.enrolment.challenge(request.holder).hex())

    @app.post("/present", tags=["platform"])
    def present(request: PresentRequest) -> Presented:
        """Draw a text as a QR code; what a phone's app does by itself."""
        code = QrCode(request.text)
        return Presented(svg=code.svg(scale=1), version=code.version)

    @app.get("/status/list", tags=["platform"], response_class=Response, responses=_of(STATUS_LIST))
    def status_list() -> Response:
        """The signed status list that verifiers fetch (``application/statuslist+cwt``)."""
        return Response(world.published, media_type=STATUS_LIST)

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

    @app.get("/status-keys", tags=["platform"], response_class=Response, responses=_of(JWK_SET))
    def status_keys() -> Response:
        """The public keys that sign the status list, as a JWK Set."""
        return Response(dump_jwks(world.status_keys), media_type=JWK_SET)

    @app.get("/keys", tags=["platform"], response_class=Response, responses=_of(JWK_SET))
    def keys() -> Response:
        """The public key ring, as a JWK Set: all that a verifier elsewhere needs."""
        return Response(dump_jwks(world.ring), media_type=JWK_SET)

    if world.publisher is not None:
        app.mount("/rings", StaticFiles(directory=world.publisher.repository), name="rings")


def _of(media_type: str) -> dict[int | str, dict[str, Any]]:
    """What OpenAPI says of an answer with a media type of its own."""
    return {200: {"content": {media_type: {}}}}


def _status_name(world: World, index: int) -> Any:
    return world.registry.status(index).name.lower()


def _terminal(app: FastAPI, world: World) -> None:
    # One signature check is a fraction of a millisecond: it is done where the request is, and a thread for it would
    # cost as much. Many of them are not: see verify_batch.
    async def verify(request: ScanRequest) -> dict[str, Any]:
        """Verify a code; it stays good for one use."""
        return accepted(_at(world, request).verify(normalize_scan(request.text), challenge=_challenge(request)))

    async def redeem(request: ScanRequest) -> dict[str, Any]:
        """Verify a code and use it up: of all calls for one display, one is answered with 200."""
        text, challenge = normalize_scan(request.text), _challenge(request)
        return accepted(await _at(world, request).redeem_async(text, challenge=challenge))

    about: dict[str, Any] = {"tags": ["terminal"], "responses": responses(*REFUSED), "response_model": Accepted}
    direct(app, "/verify", ScanRequest, verify, **about)
    direct(app, "/redeem", ScanRequest, redeem, **about)

    @app.post("/hand-in", tags=["terminal"], responses=responses(*REFUSED), response_model=Accepted)
    async def hand_in(request: HandIn) -> dict[str, Any]:
        """Take what a terminal accepted by itself while this gateway was away; 409 if it was used elsewhere.

        A terminal accepts no rotating pass by itself, so none is taken.
        """
        if not world.now - OLDEST_HAND_IN <= request.at <= world.now + world.settings.skew:
            raise RequestError("request.time")
        text = normalize_scan(request.text)
        try:
            by = {"id_": request.id, "terminal": request.terminal, "place": request.place}
            return accepted(await world.hand_in(text, request.at, **by))
        except CannotCheckError as error:
            if error.code == "otp.unavailable":
                raise HTTPException(400, "a terminal accepts no rotating pass by itself") from error
            raise

    @app.post("/redeem-batch", tags=["terminal"], response_model=Outcomes)
    async def redeem_batch(batch: RedeemBatchRequest) -> Response:
        """Redeem many codes, in order: to each is said what /redeem would say, and a bad one holds up no other."""
        texts, challenge = _normalized(batch.texts), _challenge(batch)
        verdicts = await _at(world, batch).redeem_many_async(texts, challenge=challenge)
        return JSONResponse({"accepted": verdicts.accepted, "outcomes": [_outcome(verdict) for verdict in verdicts]})

    @app.post("/verify-batch", tags=["terminal"])
    async def verify_batch(batch: BatchRequest) -> BatchVerdicts:
        """Verify recorded scans; a bad one is a verdict and no error.

        One-time codes of rotating passes are judged at a stated time only when no terminal accepts them any more: else
        a caller that chooses the time could guess at a code that is still to come.
        """
        texts, recorded = _normalized(batch.texts), batch.now is not None
        now = world.now if batch.now is None else batch.now
        codes: list[str] = []
        for start in range(0, len(texts), SLICE):
            part = texts[start : start + SLICE]
            verdicts = await world.verifier.verify_many_async(part, now=now, recorded=recorded)
            codes += [_NAMES[number] for number in verdicts.codes]
        counts = {code: codes.count(code) for code in dict.fromkeys(codes)}
        good = counts.pop("accepted", 0)
        return BatchVerdicts(accepted=good, counts=counts, codes=codes)

    @app.post("/challenge", tags=["terminal"])
    def challenge(request: ChallengeRequest) -> ChallengeIssued:
        """Make a challenge: a phone with a pass of profile 3 answers it, and no other code is accepted then."""
        made = Challenge.new(request.terminal, request.purpose)
        return ChallengeIssued(text=made.text, svg=made.qr.svg(scale=1))


_NAMES = {0: "accepted"} | {refusal.number: code for code, refusal in BY_CODE.items()}


def _normalized(texts: list[str]) -> list[str]:
    """What is too long for any scanner's additions is refused by its length, as it is."""
    return [normalize_scan(text) if len(text) <= LONGEST_SCAN else text for text in texts]


def _outcome(verdict: VerifiedVoucher | TokenError) -> dict[str, Any]:
    return problem_of(verdict) if isinstance(verdict, TokenError) else accepted(verdict)


def _at(world: World, request: Counter) -> ObservedVerifier:
    """The verifier, for the terminal that asks."""
    return world.verifier.at(request.terminal, request.place)


def _challenge(request: Counter) -> Challenge | None:
    if request.challenge is None:
        return None
    try:
        return Challenge.from_text(request.challenge)
    except ValueError as error:
        raise HTTPException(400, str(error)) from error


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
        gauges = world.gauges()
        if isinstance(world.guard, MemoryReplayGuard):
            gauges["guard_claims"] = world.guard.held, "Used codes that the guard in memory holds."
        return PlainTextResponse(world.metrics.text(gauges), media_type="text/plain; version=0.0.4")

    @app.get("/config", tags=["operations"])
    def config() -> Config:
        """What the pages have to know."""
        return Config(
            lifetime=world.settings.lifetime,
            algorithm=world.keys.entries[0].key.algorithm.name,
            guard=world.settings.remembers,
            place=world.settings.place,
            place_name=Words.of(describe_place(world.settings.place)),
            now=world.now,
            skew=world.settings.skew,
            max_lifetime=max(world.settings.lifetime, 300),
            keys_until=min(world.now + KEYS_LIFE, world.rings.expires_at or world.now),
            stale=None if (stale := world.staleness) is None else Words.of(stale),
            status_uri=STATUS_URI,
            purposes={code: Words.of(name) for code, name in PURPOSES.items()},
        )

    counters_words = words()

    @app.get("/words", tags=["operations"])
    def words_of_the_counter() -> CounterWords:
        """What a terminal says when it verifies by itself: refusals, and names of places and of what is settled."""
        return counters_words

    @app.get("/problems/{code}", tags=["operations"], responses=responses(404))
    def problem(code: str) -> Problem:
        """What a refusal's code means: the page that the ``type`` of a problem names."""
        if (misuse := MISUSES.get(code)) is not None:
            what, remedy = Words.of(misuse.what), Words.of(misuse.remedy)
            return Problem(type=f"/problems/{code}", title=what.en, status=200, code=code, what=what, remedy=remedy)
        requests = [(status, *about) for status, about in REQUESTS.items()]
        requests += [(status, name, *about) for name, (status, *about) in OF_CODES.items()]
        for status, name, what_of, remedy_of in requests:
            if name == code:
                what, remedy = Words.of(what_of), Words.of(remedy_of)
                return Problem(
                    type=f"/problems/{code}", title=what.en, status=status, code=code, what=what, remedy=remedy
                )
        row = BY_CODE.get(code)
        if row is None:
            raise HTTPException(404, "no such code")
        return Problem(
            type=f"/problems/{code}",
            title=row.what.en,
            status=200,
            code=code,
            step=row.step,
            what=Words.of(row.what),
            remedy=Words.of(row.remedy),
            hint=Words.of(row.hint),
        )


def _pages(app: FastAPI) -> None:
    for path, name in (("/", "index"), ("/phone", "phone"), ("/terminal", "terminal"), ("/docs", "docs")):

        def page(name: str = name) -> FileResponse:
            return FileResponse(STATIC / f"{name}.html")

        app.add_api_route(path, page, include_in_schema=False)

    @app.get("/worker.js", include_in_schema=False)
    def worker() -> FileResponse:
        """At the root, because a service worker governs no page above its own folder."""
        return FileResponse(STATIC / "worker.js")

    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    # Arithmetic on the SM2 curve, from `make js`. Without it a terminal verifies ES256 by itself, and nothing else.
    if NOBLE.is_dir():  # installed by `make js`; without it the page verifies P-256 only
        app.mount("/noble", StaticFiles(directory=NOBLE), name="noble")
    app.mount("/verifier", StaticFiles(directory=VERIFIER), name="verifier")


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
