"""Steps 1 to 5: from a text to the claims of a token whose signature is good.

An `Engine` prepares a key ring once and gives an `Opener`, which opens one text or many. The serial engine here is the
reference: plain Python, a text at a time. Others replace it whole, and give the same verdict for every input.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import repeat
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol, TypeAlias, cast

from ybtoken.device import cut_presentation
from ybtoken.errors import ClaimsError, EnvelopeError, SignatureError, TokenError, UnknownKeyError, error_for
from ybtoken.keys.protocols import kid_of_header
from ybtoken.keys.ring import KeyEntry, KeyRing
from ybtoken.refusals import ACCEPTED, BY_NUMBER
from ybtoken.voucher import DevicePresentation, Profile
from ybtoken.wire.claims import Claims, parse_claims
from ybtoken.wire.envelope import cut_envelope
from ybtoken.wire.text import decode_text, otp_of_text

if TYPE_CHECKING:
    from typing_extensions import Buffer  # collections.abc.Buffer from Python 3.12 on

__all__ = [
    "COLUMNS",
    "Engine",
    "Opened",
    "OpenedBatch",
    "Opener",
    "SerialEngine",
    "SerialOpener",
    "Texts",
    "judge",
    "texts_of",
]


Texts: TypeAlias = "Iterable[str] | Iterable[bytes] | Buffer"
"""Many texts: strings or byte strings, an Arrow array of them, or one buffer of lines."""


def texts_of(texts: Texts) -> Iterator[str]:
    """The texts one by one, whatever they came in.

    A line of a buffer ends with a line feed and nothing else; the last may lack it. Bytes are UTF-8; those that are not
    become characters that no voucher has, one for one. How many there are says which refusal it is.
    """
    if isinstance(texts, (bytes, bytearray, memoryview)):
        lines = bytes(texts).split(b"\n")
        texts = lines if lines[-1] else lines[:-1]
    for text in cast("Iterable[Any]", texts):
        plain = text.as_py() if hasattr(text, "as_py") else text  # an Arrow scalar
        yield _decoded(plain) if isinstance(plain, bytes) else plain


def _decoded(text: bytes) -> str:
    try:
        return text.decode()
    except UnicodeDecodeError:
        return text.decode("latin-1")


class Opened(NamedTuple):
    """A token whose signatures are good: who signed it, and what; and what the phone added to a pass."""

    entry: KeyEntry
    claims: Claims
    shown: str | DevicePresentation | None = None
    """The one-time code of a rotating pass, not checked yet; what the phone signed of a device-bound pass."""


class Opener(Protocol):
    """An engine with a key ring made ready; immutable, and safe to share between threads."""

    @property
    def keys(self) -> KeyRing:
        """The ring that was prepared."""
        ...

    def open(self, text: str) -> Opened:
        """Open one text; raises `TokenError`."""
        ...

    def open_many(self, texts: Texts) -> OpenedBatch:
        """Open many texts, order kept; never raises for a bad token."""
        ...


class Engine(Protocol):
    """Bulk steps 1 to 5; the application passes the one it wants to the verifier."""

    @property
    def name(self) -> str:
        """Which engine this is, for people and logs."""
        ...

    def prepare(self, keys: KeyRing) -> Opener:
        """Make a key ring ready; may take long, and runs beside an opener that is in use."""
        ...


def judge(issued_at: int, expires_at: int, city: int, entry: KeyEntry, now: int, skew: int, max_lifetime: int) -> int:
    """Steps 6 and 7: time and issuer scope (Spec 4).

    Returns:
        0, or the number of the refusal.
    """
    if issued_at > now + skew:
        return _FUTURE
    if now >= expires_at + skew:
        return _EXPIRED
    if expires_at - issued_at > max_lifetime:
        return _LIFETIME
    if not entry.not_before <= issued_at < entry.not_after:
        return _PERIOD
    if entry.withdrawn_since is not None and issued_at >= entry.withdrawn_since:
        return _WITHDRAWN
    if not entry.scope.covers_number(city):
        return _PLACE
    return ACCEPTED


_VOUCHER, _DEVICE_BOUND = int(Profile.VOUCHER), int(Profile.DEVICE_BOUND)  # a member is slow to reach on Python 3.11
_FUTURE, _EXPIRED, _LIFETIME = 97, 98, 99
_PERIOD, _WITHDRAWN, _PLACE = 113, 114, 115

_Kind = Literal["B", "H", "I"] | int

COLUMNS: Mapping[str, _Kind] = MappingProxyType(
    {
        "codes": "B", "entries": "H", "issued_at": "I", "expires_at": "I", "cities": "I", "profiles": "B",
        "nonce_sizes": "B", "nonces": 16, "identity_refs": 16, "present": "B", "channels": "H", "purposes": "I",
        "presenters": 16, "assurances": "B", "status_indexes": "I",
    }
)  # fmt: skip
"""The columns of a batch: the `array` type code of a number, or the width of bytes."""

NO_ENTRY = 0xFFFF
_ABSENT = bytes(16)
_CHANNEL, _PURPOSE, _PRESENTER, _ASSURANCE, _STATUS = 1, 2, 4, 8, 16


class OpenedBatch:
    """The outcome of steps 1 to 5 for many texts, in columns: 77 bytes a text, and no object for any of them.

    Every column of `COLUMNS` is an attribute with one item a text: ``codes`` (0, or the number of the refusal),
    ``entries`` (the index in the ring's entries), the claims as numbers, and bytes at a fixed width. ``present`` has a
    bit for each extra. A text that was refused has zeros elsewhere, but for an unknown key's kid, which stands in
    ``nonces``, and ``entries``, which is known from step 4 on.

    Args:
        keys: the ring that was used.
        columns: each column's items in the machine's byte order, one after another.
        passes: every pass that was opened, by its place: what the phone added to it is in no column.
    """

    __slots__ = ("_columns", "_views", "keys", "passes")

    def __init__(
        self, keys: KeyRing, columns: Mapping[str, Buffer], passes: Mapping[int, Opened] = MappingProxyType({})
    ) -> None:
        self.keys = keys
        self.passes = passes
        self._columns = columns
        self._views: dict[str, memoryview[int]] = {}  # made when they are looked at: small batches look at few

    @classmethod
    def collect(cls, keys: KeyRing, outcomes: Iterable[Opened | TokenError]) -> OpenedBatch:
        """Gather what opening one text at a time gave."""
        columns = {name: array(kind if isinstance(kind, str) else "B") for name, kind in COLUMNS.items()}
        puts = [
            columns[name].append if isinstance(kind, str) else columns[name].frombytes for name, kind in COLUMNS.items()
        ]
        index = {entry.kid: number for number, entry in enumerate(keys.entries)}
        passes: dict[int, Opened] = {}
        for i, outcome in enumerate(outcomes):
            if isinstance(outcome, TokenError):
                row = _refused_row(outcome, index)
            else:
                row = _opened_row(outcome, index)
                if outcome.shown is not None:
                    passes[i] = outcome
            for put, item in zip(puts, row, strict=True):
                put(item)
        return cls(keys, columns, passes)

    def __len__(self) -> int:
        return len(self.codes)

    def __getattr__(self, name: str) -> memoryview[int]:
        if name not in COLUMNS:
            raise AttributeError(name)
        if (view := self._views.get(name)) is None:
            kind = COLUMNS[name]
            view = memoryview(self._columns[name]).cast("B").cast(kind if isinstance(kind, str) else "B")
            if name != "codes" and len(view) != len(self) * (1 if isinstance(kind, str) else kind):
                raise ValueError(f"the column {name} has another length")
            self._views[name] = view
        return view

    def column(self, name: str) -> Buffer:
        """A column as it came: its items' bytes, one after another."""
        return self._columns[name]

    def judge(self, now: int | Sequence[int], skew: int, max_lifetime: int) -> bytearray:
        """Steps 6 and 7 for every voucher that was opened, at one time or at one time each; returns the codes.

        A pass has bounds of its own, and its code here says nothing: the verifier judges it by itself.
        """
        times = repeat(now, len(self)) if isinstance(now, int) else now
        codes, entries = bytearray(self.codes), self.keys.entries
        columns = zip(self.codes, self.entries, self.issued_at, self.expires_at, self.cities, times, strict=True)
        for i, (code, entry, issued_at, expires_at, city, at) in enumerate(columns):
            if code == ACCEPTED:
                codes[i] = judge(issued_at, expires_at, city, entries[entry], at, skew, max_lifetime)
        return codes

    def opened(self, i: int) -> Opened:
        """The i-th token, whose code is 0."""
        if (opened := self.passes.get(i)) is not None:
            return opened
        at, present = 16 * i, self.present[i]
        nonce = bytes(self.nonces[at : at + self.nonce_sizes[i]])
        return Opened(
            self.keys.entries[self.entries[i]],
            Claims(
                expires_at=self.expires_at[i],
                issued_at=self.issued_at[i],
                nonce=nonce,
                profile=self.profiles[i],
                identity_ref=bytes(self.identity_refs[at : at + 16]),
                city=self.cities[i],
                channel=self.channels[i] if present & _CHANNEL else None,
                purpose=self.purposes[i] if present & _PURPOSE else None,
                presenter=bytes(self.presenters[at : at + 16]) if present & _PRESENTER else None,
                assurance=self.assurances[i] if present & _ASSURANCE else None,
                status_index=self.status_indexes[i] if present & _STATUS else None,
            ),
        )

    def error(self, i: int) -> TokenError:
        """Why the i-th text, whose code is not 0, was refused in steps 1 to 5."""
        refusal = BY_NUMBER[self.codes[i]]
        if refusal.code == "key.unknown":
            return error_for(refusal.code, kid=bytes(self.nonces[16 * i : 16 * i + 8]).hex())
        if refusal.step >= 4:
            return error_for(refusal.code, kid=self.keys.entries[self.entries[i]].kid.hex())
        return error_for(refusal.code)


def _opened_row(opened: Opened, index: Mapping[bytes, int]) -> tuple[Any, ...]:
    """The items of one text, in the order of `COLUMNS`."""
    expires_at, issued_at, nonce, profile, identity_ref, city, *extras, _ = opened.claims
    channel, purpose, presenter, assurance, status_index = extras
    present = sum(1 << bit for bit, extra in enumerate(extras) if extra is not None)
    return (
        ACCEPTED, index[opened.entry.kid], issued_at, expires_at, city, profile,
        len(nonce), nonce.ljust(16, b"\0"), identity_ref, present, channel or 0, purpose or 0,
        presenter or _ABSENT, assurance or 0, status_index or 0,
    )  # fmt: skip


def _refused_row(error: TokenError, index: Mapping[bytes, int]) -> tuple[Any, ...]:
    kid = bytes.fromhex(error.facts.get("kid", ""))
    unknown = kid if isinstance(error, UnknownKeyError) else b""  # though the ring may know it under another algorithm
    return (
        error.number, NO_ENTRY if unknown else index.get(kid, NO_ENTRY), 0, 0, 0, 0,
        len(unknown), unknown.ljust(16, b"\0"), _ABSENT, 0, 0, 0, _ABSENT, 0, 0,
    )  # fmt: skip


class SerialEngine:
    """The reference engine: plain Python, one text at a time, signatures by the key's own backend."""

    name = "serial"

    def prepare(self, keys: KeyRing) -> SerialOpener:
        """See `Engine`. Nothing to make ready: keys were parsed when they were made."""
        return SerialOpener(keys)

    def __repr__(self) -> str:
        return "SerialEngine()"


class SerialOpener:
    """See `Opener`."""

    __slots__ = ("_by_header", "keys")

    def __init__(self, keys: KeyRing) -> None:
        self.keys = keys
        self._by_header = dict(keys.by_header)

    def open(self, text: str) -> Opened:
        """Steps 1 to 5 for one text; raises `TokenError`."""
        # 1. text -> bytes
        profile, data = decode_text(text)
        # 2. envelope; of what a phone signed, its own first
        cut = None
        if profile == _DEVICE_BOUND:
            cut = cut_presentation(data)
            data = cut.token
        header, signed, signature = cut_envelope(data)
        # 3. key
        entry = self._by_header.get(header)
        if entry is None:
            kid = kid_of_header(header)
            raise EnvelopeError("envelope.shape") if kid is None else UnknownKeyError("key.unknown", kid=kid.hex())
        try:
            # 4. signature
            entry.key.verify(entry.prefix + signed, signature)
            # 5. claims: nothing of them is looked at before this line
            claims = parse_claims(signed)
        except (SignatureError, ClaimsError) as error:
            raise error_for(error.code, kid=entry.kid.hex()) from None  # the same facts, whoever made the key
        if claims.profile != profile:
            raise ClaimsError("claims.profile", kid=entry.kid.hex())
        if profile == _VOUCHER:
            return Opened(entry, claims)
        if cut is None or claims.device_key is None:
            return Opened(entry, claims, otp_of_text(text))
        # 4. signature, of the phone: its key is known only now
        try:
            cut.check(claims.device_key)
        except (SignatureError, ClaimsError) as error:
            raise type(error)(error.code, kid=entry.kid.hex()) from None
        return Opened(entry, claims, cut.presentation)

    def open_many(self, texts: Texts) -> OpenedBatch:
        """Steps 1 to 5 for many texts, order kept; never raises for a bad token."""
        return OpenedBatch.collect(self.keys, map(self._outcome, texts_of(texts)))

    def _outcome(self, text: str) -> Opened | TokenError:
        try:
            return self.open(text)
        except TokenError as error:
            return error
