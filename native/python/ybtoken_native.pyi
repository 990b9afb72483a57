"""The native engine of ybtoken. `ybtoken.engines.native` wraps it; nothing here checks policies."""

from collections.abc import Iterable, Sequence
from typing import Any, Final, Literal, TypeAlias, TypedDict, final

from typing_extensions import Buffer

ABI: Final[int]
"""The version of this interface. It increases with every change that a caller can notice."""
VERSION: Final[str]
COLUMNS: Final[tuple[tuple[str, int], ...]]
"""The name and the width in bytes of each column, in order."""

Path: TypeAlias = Literal["ifma", "avx2", "scalar", "slow"]

Places: TypeAlias = Sequence[tuple[int, int]]
"""City codes as ranges [from, to), ascending and disjoint."""

Key: TypeAlias = tuple[bytes, bytes, bytes, bytes, int, int, int, int | None, Places]
"""A key of a ring and what it may sign for: the raw protected header, x and y of 32 bytes each, the SM2 user id (empty
for other algorithms), the table's window in bits (8; 10 for hot keys), not_before, not_after, withdrawn_since (seconds
since 1970), places."""

ClaimsRow: TypeAlias = tuple[Any, ...]
"""Expires at, issued at, nonce, profile, identity reference, city; each optional claim by ascending label, or None; and
None for the device key, which only passes have."""

Row: TypeAlias = tuple[int, int, Any]
"""The code (0 accepted, 255 undecided: open it with the serial engine); the entry (0xFFFF none); and with code 0 or a
refusal of step 6 or 7 a `ClaimsRow`, with key.unknown the kid, otherwise None."""

Chunk: TypeAlias = tuple[Buffer | None, Buffer | None, Buffer | None, int, int, int]
"""A chunk of an Arrow array of strings: its validity bitmap, offsets and data, then the bytes of an offset (4 or 8), the
first element and the count of elements. A buffer that the array does not have is None."""

class TableStats(TypedDict):
    bytes: int
    tables: int
    built: int
    evicted: int

@final
class Engine:
    """An engine: how to compute, and with how many threads.

    Args:
        threads: how many threads share a batch, 1 to 1024; with 1 it is the caller's own.
        path: forces how signatures are verified, and no better vectors hash SM3 or read digits; by default the fastest
            way that the processor can run.

    Raises:
        ValueError: a number or name is out of its range.
        RuntimeError: the processor cannot run the path, or the system gives no threads or no random bytes.
    """

    def __new__(cls, *, threads: int = 1, path: Path | None = None) -> Engine: ...
    @property
    def threads(self) -> int: ...
    @property
    def path(self) -> Path: ...
    def prepare(self, keys: Sequence[Key], *, table_bytes: int = 268435456) -> Ring:
        """Check the keys and build their tables, without the GIL.

        Args:
            keys: the ring's entries; the numbers in the `entries` column are positions in this list.
            table_bytes: the most bytes that the tables may take. Tables that do not fit are built at first use, and the
                least recently used one is dropped. A text that names such a key then costs building its table, whether
                the text is good or not.

        Raises:
            ValueError: a key is wrong, two keys have the same header, or places are not in order.
        """

@final
class Ring:
    """Keys with their tables, ready to open texts. Several threads may use it at once."""

    def __len__(self) -> int: ...
    def table_stats(self) -> TableStats: ...
    def open_one(self, text: str, /, *, now: int, skew: int, max_lifetime: int) -> Row:
        """Do steps 1 to 7 for one text. Holds the GIL: it takes microseconds.

        Args:
            text: the text.
            now: the time, in seconds since 1970.
            skew: how far the clocks of issuer and verifier may differ, in seconds.
            max_lifetime: the longest lifetime that is accepted, in seconds.

        Raises:
            TypeError: the text is not a `str`.
        """

    def open_many(
        self, texts: Iterable[str] | Iterable[bytes], /, *, now: int | bytes, skew: int, max_lifetime: int
    ) -> Columns:
        """Do steps 1 to 7 for many texts, without the GIL.

        Args:
            texts: `str` or `bytes` objects.
            now: one time for all texts, or one for each as the bytes of little-endian 64-bit integers.
            skew: see `open_one`.
            max_lifetime: see `open_one`.

        Raises:
            TypeError: an element is not a text, or `now` is not a time.
            ValueError: there are not as many times as texts.
        """

    def open_arrow(self, chunks: Sequence[Chunk], /, *, now: int | bytes, skew: int, max_lifetime: int) -> Columns:
        """Do steps 1 to 7 for the strings of an Arrow array, which are read in place, without the GIL.

        As Arrow requires, the buffers must not change meanwhile. Arguments and errors are those of `open_many`, and:

        Raises:
            ValueError: there is a null, whose row is named, or buffers, offsets and lengths do not fit together.
        """

    def open_lines(
        self, buffer: Buffer, /, *, now: int | bytes, skew: int, max_lifetime: int, last: bool = True
    ) -> tuple[Columns, int]:
        r"""Do steps 1 to 7 for the lines of a buffer, without the GIL. Errors are those of `open_many`.

        A line ends at ``\n`` only; a ``\r`` before it is part of the text, which is then refused.

        Args:
            buffer: `bytes` are read in place; any other buffer is copied first, because it may change meanwhile.
            now: see `open_many`.
            skew: see `open_one`.
            max_lifetime: see `open_one`.
            last: whether the rest after the last ``\n`` is a line too, if it is not empty.

        Returns:
            The columns, and how many bytes of the buffer the lines occupied.
        """

@final
class Columns:
    """The outcomes of a batch: the columns of `COLUMNS`, one row for each text, numbers little-endian.

    A row has claims if its code is 0 or a refusal of step 6 or 7. In all other rows they are zero, except that the nonce
    of key.unknown is the kid. A row has an entry from step 4 on.
    """

    def __len__(self) -> int: ...
    @property
    def codes(self) -> bytes:
        """u8; 255: undecided, open this text with the serial engine."""

    @property
    def entries(self) -> bytes:
        """u16; 0xFFFF: none."""

    @property
    def issued_at(self) -> bytes:
        """u32"""

    @property
    def expires_at(self) -> bytes:
        """u32"""

    @property
    def cities(self) -> bytes:
        """u32"""

    @property
    def profiles(self) -> bytes:
        """u8; 1 if the row has claims."""

    @property
    def nonce_sizes(self) -> bytes:
        """u8"""

    @property
    def nonces(self) -> bytes:
        """16 bytes, padded with zeros."""

    @property
    def identity_refs(self) -> bytes:
        """16 bytes"""

    @property
    def present(self) -> bytes:
        """u8; bit ``label - 1`` is set for each optional claim that the token states."""

    def __getattr__(self, name: str, /) -> bytes:
        """The column of an optional claim; see `COLUMNS`."""

@final
class Sm2Key:
    """An SM2 signing key with RustCrypto's constant-time arithmetic. It never shows its secret and cannot be pickled.

    Args:
        secret: a number from 1 to n - 2 as 32 bytes, big-endian.
        user_id: fewer than 8,192 bytes; ``1234567812345678`` by default.

    Raises:
        ValueError: the secret or the user id is out of its range.
    """

    def __new__(cls, secret: bytes, /, *, user_id: bytes | None = None) -> Sm2Key: ...
    @staticmethod
    def generate(*, user_id: bytes | None = None) -> Sm2Key:
        """Make a key from the operating system's random bytes."""

    @property
    def x(self) -> bytes: ...
    @property
    def y(self) -> bytes: ...
    def sign(self, message: bytes, /) -> bytes:
        """Sign SM3(ZA || message), without the GIL. Returns r || s, 32 bytes each.

        Raises:
            OSError: the operating system gave no random bytes.
        """
    def __reduce__(self) -> Any: ...
