"""The native engine of ybtoken. See `ybtoken.engines.native`, which wraps it; nothing here checks policy."""

from collections.abc import Iterable, Sequence
from typing import Any, Final, Literal, Protocol, TypeAlias, TypedDict, final

from typing_extensions import Buffer

ABI: Final[int]
"""What module and caller must agree on; it grows when a caller of an earlier one would be answered otherwise."""
VERSION: Final[str]

Path: TypeAlias = Literal["ifma", "scalar", "slow"]

Key: TypeAlias = tuple[bytes, bytes, bytes, bytes, int]
"""Raw protected header, x and y of 32 bytes each, SM2 user id (empty for others), window bits (8; 10 for hot keys)."""

ClaimsRow: TypeAlias = tuple[
    int,  # exp
    int,  # iat
    bytes,  # nonce
    int,  # profile
    bytes,  # identity
    int,  # city
    int | None,  # channel
    int | None,  # purpose
    bytes | None,  # presenter
    int | None,  # assurance
    int | None,  # status index
    None,  # device key: of other profiles
]
Row: TypeAlias = tuple[int, int, Any]
"""Code (0 accepted, 255 not mine: open it with the serial engine); entry (0xFFFF none); and with 0 a `ClaimsRow`, with
key.unknown the kid, otherwise None."""

Places: TypeAlias = Sequence[tuple[int, int]]
"""City codes as ranges [from, to), ascending and disjoint."""

class ArrowArray(Protocol):
    def __arrow_c_array__(self, requested_schema: object = None) -> tuple[object, object]: ...

class ArrowStream(Protocol):
    def __arrow_c_stream__(self, requested_schema: object = None) -> object: ...

class TableStats(TypedDict):
    bytes: int
    tables: int
    built: int
    evicted: int

@final
class Engine:
    """How to compute, and with how many threads.

    Args:
        threads: how many threads share a batch, 1 to 1024; with 1 it is the caller's own.
        path: forces how signatures are verified; by default the fastest that the processor runs.
        lanes: whether SM3 goes by lanes where the processor can.

    Raises:
        ValueError: a number or name out of its range.
        RuntimeError: the processor does not run the path, or the system has no threads or randomness left.
    """

    def __new__(cls, *, threads: int = 1, path: Path | None = None, lanes: bool = True) -> Engine: ...
    @property
    def threads(self) -> int: ...
    @property
    def path(self) -> Path: ...
    def prepare(self, keys: Sequence[Key], *, table_bytes: int = 268435456) -> Ring:
        """Check the keys and build their tables, without the GIL: 786 KB and some 3 ms of one core a key (window 10).

        Args:
            keys: the ring's entries; a column's `entry` is the place here.
            table_bytes: the cap of what the tables take. Keys over it are built at first use, the least recently used
                ones going first: then a text that names such a key costs a table, whether it is good or not.

        Raises:
            ValueError: a key that is wrong, or two of one header.
        """

@final
class Ring:
    """Keys with their tables, ready to open texts; may be used from many threads at once."""

    def __len__(self) -> int: ...
    def table_stats(self) -> TableStats: ...
    def open_one(self, text: str, /) -> Row:
        """Open one text. Holds the GIL: it takes microseconds.

        Raises:
            TypeError: the text is not `str`.
        """

    def open_many(self, texts: Iterable[str] | Iterable[bytes] | ArrowArray | ArrowStream, /) -> Columns:
        """Open many texts, without the GIL. Arrow strings (also large ones, views and binary) are read in place.

        Raises:
            TypeError: not texts.
            ValueError: an Arrow array with nulls, or one that is not well made.
        """

    def open_lines(self, buffer: Buffer, /, *, last: bool = True) -> tuple[Columns, int]:
        r"""Open the lines of a buffer, without the GIL.

        A line ends at ``\n`` and at nothing else; a ``\r`` before it is part of the text, which is then refused.

        Args:
            buffer: `bytes` are read in place, anything else is copied first.
            last: whether what follows the last ``\n`` is a line too, if it is not empty.

        Returns:
            The columns, and how many bytes of the buffer the lines took up.
        """

@final
class Columns:
    """What became of a batch: a row a text, numbers little-endian.

    Where the code is not 0 every other column is zero (entry 0xFFFF), but `entry` is set from step 4 on, and for
    key.unknown the nonce is the kid.
    """

    def __len__(self) -> int: ...
    @property
    def code(self) -> bytes:
        """u8; 255: open this text with the serial engine."""

    @property
    def entry(self) -> bytes:
        """u16"""

    @property
    def iat(self) -> bytes:
        """u32"""

    @property
    def exp(self) -> bytes:
        """u32"""

    @property
    def city(self) -> bytes:
        """u32"""

    @property
    def profile(self) -> bytes:
        """u8"""

    @property
    def nonce_len(self) -> bytes:
        """u8"""

    @property
    def nonce(self) -> bytes:
        """16 bytes, zero padded"""

    @property
    def identity(self) -> bytes:
        """16 bytes"""

    @property
    def present(self) -> bytes:
        """u8: bit 0 channel, 1 purpose, 2 presenter, 3 assurance, 4 status index"""

    @property
    def channel(self) -> bytes:
        """u16"""

    @property
    def purpose(self) -> bytes:
        """u32"""

    @property
    def presenter(self) -> bytes:
        """16 bytes"""

    @property
    def assurance(self) -> bytes:
        """u8"""

    @property
    def status_index(self) -> bytes:
        """u32"""

@final
class Scopes:
    """What the keys of a ring may sign for, in the order of its entries.

    Args:
        scopes: for each entry not_before, not_after, withdrawn_since (seconds since 1970) and its places.

    Raises:
        ValueError: places that are not ascending, disjoint ranges.
    """

    def __new__(cls, scopes: Sequence[tuple[int, int, int | None, Places]], /) -> Scopes: ...
    def __len__(self) -> int: ...
    def judge(
        self,
        engine: Engine,
        code: bytes,
        entry: bytes,
        iat: bytes,
        exp: bytes,
        city: bytes,
        *,
        now: int | bytes,
        skew: int,
        max_lifetime: int,
    ) -> bytes:
        """Judge the time and the scope of every row whose code is 0 (steps 6 and 7), without the GIL.

        Args:
            now: one time for all rows, or an i64 for each.

        Returns:
            The new code column.

        Raises:
            ValueError: columns of other lengths, or an entry without a scope.
        """

@final
class Sm2Key:
    """An SM2 key that signs, by RustCrypto's constant-time arithmetic. It never shows its secret and is not pickled.

    Args:
        secret: 32 bytes, 1 to n - 2, big-endian.
        user_id: fewer than 8,192 bytes; ``1234567812345678`` by default.

    Raises:
        ValueError: a secret or user id out of its range.
    """

    def __new__(cls, secret: bytes, /, *, user_id: bytes | None = None) -> Sm2Key: ...
    @staticmethod
    def generate(*, user_id: bytes | None = None) -> Sm2Key:
        """Make a key from the system's randomness."""

    @property
    def x(self) -> bytes: ...
    @property
    def y(self) -> bytes: ...
    def sign(self, message: bytes, /) -> bytes:
        """Sign SM3(ZA || message): r and s, 32 bytes each. Without the GIL.

        Raises:
            OSError: the system gave no randomness.
        """
    def __reduce__(self) -> Any: ...
