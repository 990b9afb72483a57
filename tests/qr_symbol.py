"""Reads the bit stream out of a QR symbol of version 8, module by module (ISO/IEC 18004).

A decoder returns what a symbol means; this module shows how it is written: which segments, in which modes.
"""

from __future__ import annotations

from collections.abc import Sequence

SIZE = 49  # version 8
_ALIGNMENT = (6, 24, 42)
_DATA_BLOCKS_M = (38, 38, 39, 39)  # data codewords of the four blocks of 8-M, each followed by 22 for correction
_FORMAT_MASK = 0b101010000010010
_LEVEL_M = 0b00
_MASKS = (
    lambda r, c: (r + c) % 2 == 0,
    lambda r, c: r % 2 == 0,
    lambda r, c: c % 3 == 0,
    lambda r, c: (r + c) % 3 == 0,
    lambda r, c: (r // 2 + c // 3) % 2 == 0,
    lambda r, c: r * c % 2 + r * c % 3 == 0,
    lambda r, c: (r * c % 2 + r * c % 3) % 2 == 0,
    lambda r, c: ((r + c) % 2 + r * c % 3) % 2 == 0,
)


def _is_function(row: int, column: int) -> bool:
    """Whether a module belongs to a finder, timing or alignment pattern, or to format or version information."""
    near_start = row < 9, column < 9
    near_end = row >= SIZE - 8, column >= SIZE - 8
    if all(near_start) or (near_start[0] and near_end[1]) or (near_end[0] and near_start[1]):
        return True
    if 6 in (row, column):
        return True
    if (row < 6 and column >= SIZE - 11) or (column < 6 and row >= SIZE - 11):
        return True
    return any(
        abs(row - r) <= 2 and abs(column - c) <= 2
        for r in _ALIGNMENT
        for c in _ALIGNMENT
        if (r, c) not in ((6, 6), (6, 42), (42, 6))
    )


def bits_of(matrix: Sequence[Sequence[int]]) -> str:
    """The data bits of an 8-M symbol without quiet zone and without error correction, as a string of 0 and 1."""
    assert len(matrix) == SIZE
    around = [(8, c) for c in (0, 1, 2, 3, 4, 5, 7, 8)] + [(r, 8) for r in (7, 5, 4, 3, 2, 1, 0)]
    format_bits = int("".join(str(matrix[r][c]) for r, c in around), 2) ^ _FORMAT_MASK
    assert format_bits >> 13 == _LEVEL_M
    mask = _MASKS[format_bits >> 10 & 7]
    bits = []
    upward, right = True, SIZE - 1
    while right > 0:
        right -= right == 6  # the timing column is skipped
        for row in range(SIZE - 1, -1, -1) if upward else range(SIZE):
            for column in (right, right - 1):
                if not _is_function(row, column):
                    bits.append(matrix[row][column] ^ mask(row, column))
        upward, right = not upward, right - 2
    codewords = [f"{int(''.join(map(str, bits[i : i + 8])), 2):08b}" for i in range(0, len(bits) - 7, 8)]
    blocks: list[list[str]] = [[] for _ in _DATA_BLOCKS_M]
    position = iter(codewords)
    for i in range(max(_DATA_BLOCKS_M)):
        for block, size in zip(blocks, _DATA_BLOCKS_M, strict=True):
            if i < size:
                block.append(next(position))
    return "".join("".join(block) for block in blocks)


def numeric_segment(bits: str) -> tuple[str, str]:
    """Read one numeric segment; returns its digits and the bits after it."""
    assert bits[:4] == "0001", f"mode {bits[:4]}, not numeric"
    count, at = int(bits[4:14], 2), 14
    digits = ""
    while len(digits) < count:
        wanted = min(3, count - len(digits))
        width = (0, 4, 7, 10)[wanted]
        digits += f"{int(bits[at : at + width], 2):0{wanted}d}"
        at += width
    return digits, bits[at:]
