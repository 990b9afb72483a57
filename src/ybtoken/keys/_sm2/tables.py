"""SM2 verification in plain Python, from per-key tables of 8-bit windows.

This module owns the arithmetic of GB/T 32918.2-2016 section 7.1 in plain Python; only SM3 comes from a library. The
table of a key (and one of the base point) holds ``digit * 256**i * point`` for the 32 bytes of a scalar. Therefore
``s*G + t*Q`` is a sum of at most 64 known points, without doublings. All values are public: nothing is constant time,
nothing signs.

The sum is computed in three steps. The points are added pairwise, twice, in affine coordinates with one shared
inversion each time (6 multiplications an addition). The remaining points, at most 16, are added in XYZZ coordinates (10
multiplications an addition, no inversion). These fast formulas fail when two summands have the same x. They then
produce a zero that stays zero, and `_careful_sum`, which handles every case, computes the sum again.

Building a table takes as long as some twenty verifications without one. A phone's key is seldom met twice, so
`TableKey.verify_once` computes ``t*Q`` by doublings instead.
"""

from __future__ import annotations

from functools import cache
from typing import TypeAlias

from ybtoken.keys._sm2.curve import A, G, N, P, check_point, message_hash

Point: TypeAlias = tuple[int, int]
Table: TypeAlias = list[list[Point]]  # [byte position, highest first][byte value]; value 0 is never read


class TableKey:
    """A public key with its table, which is built at the first verification (its size: `docs/why/capacity.md`).

    Args:
        point: the uncompressed point, 65 bytes; checked.
        user_id: the SM2 user id in ZA.

    Raises:
        ValueError: the point is not on the curve, or the user id is empty or too long.
    """

    __slots__ = ("_hash", "_point", "_table")

    def __init__(self, point: bytes, user_id: bytes) -> None:
        self._point = check_point(point)
        self._hash = message_hash(point, user_id)
        self._table: Table | None = None

    def verify(self, message: bytes, signature: bytes) -> bool:
        """Whether `signature`, 64 bytes ``r || s``, is this key's over `message`."""
        state = self._hash.copy()
        state.update(message)
        return self.verify_digest(state.finalize(), signature)

    def verify_once(self, message: bytes, signature: bytes) -> bool:
        """The same as `verify`, without building a table: for a key that is not met often."""
        state = self._hash.copy()
        state.update(message)
        return self.verify_digest(state.finalize(), signature, once=True)

    def verify_digest(self, digest: bytes, signature: bytes, *, once: bool = False) -> bool:
        """Whether `signature` is this key's over the message whose digest ``e = SM3(ZA || message)`` is given."""
        if not isinstance(signature, bytes):
            raise TypeError(f"a signature is bytes, not {type(signature).__name__}")
        if len(signature) != 64:
            return False
        r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
        if not (0 < r < N and 0 < s < N):
            return False
        t = (r + s) % N
        if t == 0:
            return False
        summands = _pick(_base_table(), signature[32:])
        if once and self._table is None:
            summands.append(_multiple(self._point, t))
        else:
            if self._table is None:
                self._table = _build_table(self._point)
            summands += _pick(self._table, t.to_bytes(32, "big"))
        return _sum_has_x(summands, (r - int.from_bytes(digest, "big")) % N)


def signed_digest(point: bytes, signature: bytes) -> int | None:
    """The digest e, modulo n, that `signature` signs under a key: it is good for this e and for no other.

    Where many digests are tried, this takes as long as some ten verifications, however many there are.

    Args:
        point: the uncompressed point, 65 bytes; checked.
        signature: ``r || s``.

    Returns:
        ``None`` if the signature is good for no digest.
    """
    if len(signature) != 64:
        return None
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    t = (r + s) % N
    if not (0 < r < N and 0 < s < N and t):
        return None
    summed = _add(_multiple(G, s), _multiple(check_point(point), t))
    return summed and (r - summed[0]) % N


def _pick(table: Table, scalar: bytes) -> list[Point]:
    """The points whose sum is `scalar` (32 bytes, big-endian) times the table's point."""
    return [row[digit] for row, digit in zip(table, scalar, strict=True) if digit]


def _sum_has_x(points: list[Point], x: int) -> bool:
    """Whether the sum of `points` is a finite point whose x is congruent to `x` modulo n."""
    summed = points
    for _ in range(2):
        half = len(summed) // 2
        added = _add_pairs(summed[:half], summed[half : 2 * half])
        if added is None:
            return _is_congruent(_careful_sum(points), x)
        summed = added + summed[2 * half :]
    first_x, zz = _xyzz_sum(summed)
    if zz == 0:
        return _is_congruent(_careful_sum(points), x)
    # The sum's x is below p, and n < p < 2n, so at most two values below p are congruent to x modulo n.
    return (x * zz - first_x) % P == 0 or (x < P - N and ((x + N) * zz - first_x) % P == 0)


def _is_congruent(point: Point | None, x: int) -> bool:
    return point is not None and point[0] % N == x


def _add_pairs(left: list[Point], right: list[Point]) -> list[Point] | None:
    """``left[i] + right[i]``, last first, with one inversion (Montgomery's trick); ``None`` if a pair has equal x."""
    p = P
    product = 1
    running = []
    for (x1, _), (x2, _) in zip(left, right, strict=True):
        running.append(product)
        product = product * (x2 - x1) % p
    if product == 0:
        return None
    inverse = pow(product, -1, p)
    sums: list[Point] = []
    for (x1, y1), (x2, y2), before in zip(reversed(left), reversed(right), reversed(running), strict=True):
        run = x2 - x1
        slope = (y2 - y1) * (inverse * before % p) % p
        inverse = inverse * run % p
        x3 = (slope * slope - x1 - x2) % p
        sums.append((x3, (slope * (x1 - x3) - y1) % p))
    return sums


def _xyzz_sum(points: list[Point]) -> tuple[int, int]:
    """X and ZZ of the sum (x = X / ZZ). ZZ is 0 if an addition met two points with equal x, or there are no points.

    The mixed addition is madd-2008-s of the Explicit-Formulas Database (Cohen, Miyaji, Ono coordinates).
    """
    p = P
    if not points:
        return 0, 0
    x1, y1 = points[0]
    zz = zzz = 1
    for x2, y2 in points[1:]:
        run = x2 * zz - x1
        rise = y2 * zzz - y1
        square = run * run % p
        cube = square * run % p
        shift = x1 * square % p
        x1 = (rise * rise - cube - 2 * shift) % p
        y1 = (rise * (shift - x1) - y1 * cube) % p
        zz = zz * square % p
        zzz = zzz * cube % p
    return x1, zz


def _careful_sum(points: list[Point]) -> Point | None:
    """The sum in affine coordinates with every case of the group law; None is the point at infinity."""
    total: Point | None = None
    for point in points:
        total = _add(total, point)
    return total


def _add(left: Point | None, right: Point) -> Point | None:
    if left is None:
        return right
    (x1, y1), (x2, y2) = left, right
    if x1 == x2:
        if (y1 + y2) % P == 0:
            return None
        return _double(left)
    slope = (y2 - y1) * pow(x2 - x1, -1, P) % P
    x3 = (slope * slope - x1 - x2) % P
    return x3, (slope * (x1 - x3) - y1) % P


def _double(point: Point) -> Point:
    x1, y1 = point
    slope = (3 * x1 * x1 + A) * pow(2 * y1, -1, P) % P
    x3 = (slope * slope - 2 * x1) % P
    return x3, (slope * (x1 - x3) - y1) % P


def _multiple(point: Point, scalar: int) -> Point:
    """``scalar * point`` for a scalar from 1 to n - 1: doublings in Jacobian coordinates, and digits of 5 bits (wNAF).

    The formulas are dbl-2001-b and madd of the Explicit-Formulas Database. As in `_xyzz_sum`, an addition of two points
    with equal x gives a zero that stays, and then every step is computed again with care.
    """
    p = P
    twice = _double(point)
    odd = [point]  # 1, 3, ... 15 times the point
    while len(odd) < 8:
        odd.append(_careful_sum([odd[-1], twice]) or (0, 0))  # different small multiples never add up to infinity
    digits = _digits(scalar)
    x1, y1, z1 = 0, 0, 0
    for digit in reversed(digits):
        if z1:
            square = y1 * y1 % p
            delta = z1 * z1 % p
            beta = x1 * square % p
            alpha = 3 * (x1 - delta) * (x1 + delta) % p
            z1 = 2 * y1 * z1 % p
            x1 = (alpha * alpha - 8 * beta) % p
            y1 = (alpha * (4 * beta - x1) - 8 * square * square) % p
        if digit:
            x2, y2 = odd[abs(digit) >> 1]
            y2 = y2 if digit > 0 else -y2
            if not z1:
                x1, y1, z1 = x2, y2, 1
                continue
            zz = z1 * z1 % p
            run = (x2 * zz - x1) % p
            rise = (y2 * zz * z1 - y1) % p
            if not run:
                return _careful_multiple(point, scalar)
            square = run * run % p
            cube = square * run % p
            shift = x1 * square % p
            x1 = (rise * rise - cube - 2 * shift) % p
            y1 = (rise * (shift - x1) - y1 * cube) % p
            z1 = z1 * run % p
    inverse = pow(z1, -1, p)
    square = inverse * inverse % p
    return x1 * square % p, y1 * square * inverse % p


def _digits(scalar: int) -> list[int]:
    """The digits of a scalar, lowest first: 0, or odd from -15 to 15; of five in a row at most one is not 0."""
    digits = []
    while scalar:
        digit = 0
        if scalar & 1:
            digit = (scalar & 31) - (scalar & 16) * 2
            scalar -= digit
        digits.append(digit)
        scalar >>= 1
    return digits


def _careful_multiple(point: Point, scalar: int) -> Point:
    total: Point | None = None
    for bit in f"{scalar:b}":
        total = total and _double(total)
        total = _add(total, point) if bit == "1" else total
    assert total is not None  # the scalar is from 1 to n - 1
    return total


@cache
def _base_table() -> Table:
    return _build_table(G)


def _build_table(point: Point) -> Table:
    """Rows of ``value * 256**i * point``, highest i first: a row belongs to a byte of a big-endian scalar."""
    rows: Table = []
    for _ in range(32):
        multiples = [point, _double(point)]  # 1 and 2 times the point; each round doubles the list
        while len(multiples) < 256:
            top = multiples[-1]
            added = _add_pairs(multiples[:-1], [top] * (len(multiples) - 1))
            assert added is not None  # different small multiples of a point of prime order have different x
            multiples += [*reversed(added), _double(top)]
        rows.append([(0, 0), *multiples[:255]])
        point = multiples[255]
    rows.reverse()
    return rows
