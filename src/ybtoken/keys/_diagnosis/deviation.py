"""One way in which a signature departs from what it should be."""

from __future__ import annotations

from typing import NamedTuple

from ybtoken.words import Words

__all__ = ["Deviation"]


class Deviation(NamedTuple):
    """A departure from the format: what was done, and what to do.

    Args:
        code: stable, for programs, such as ``signature.der`` or ``digest.no-za``.
        what: what the signer did.
        remedy: what to change.
    """

    code: str
    what: Words
    remedy: Words
