"""Key rings: the platform publishes them in a signed repository, and the verifying side follows the newest one.

    rings/repository/  what is published: any web server can serve it
    rings/keys/        the private keys of the repository's roles, and root.json, from which all trust follows
    rings-seen/        what the verifying side has seen, so that no older ring comes back

Here both sides share a folder. A real platform keeps the root and targets keys offline, and ``ybtoken ring`` works on
these folders. The platform's part of this module then needs the snapshot and timestamp keys only.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from ybtoken import KeyRing, SigningKey
from ybtoken._state import replace_file
from ybtoken.keys.keyset import dump_jwks
from ybtoken.keys.p256 import P256SigningKey
from ybtoken.trust.changes import time_words
from ybtoken.trust.repository import LIFETIMES, ROLES, RingRepository
from ybtoken.trust.source import HeldRing
from ybtoken.trust.tuf import RING, TufRingSource
from ybtoken.words import BoundsError, Words

from .settings import Settings

ONLINE = ("snapshot", "timestamp")


class Publisher:
    """The platform's side.

    Args:
        folder: the gateway's folder; the repository and its keys are made if they are not there.
        ring: the first ring that is published.
        clock: returns seconds since 1970.

    Raises:
        ValueError: the repository is not what its keys signed.
    """

    def __init__(self, folder: Path, ring: KeyRing, clock: Callable[[], float] = time.time) -> None:
        self.repository, self._keys = folder / "rings" / "repository", folder / "rings" / "keys"
        self._clock = clock
        if not (folder / "rings").exists():
            _make(folder, ring, clock)
        self._signed = RingRepository(self.repository, root=self.root, clock=clock)

    @property
    def root(self) -> bytes:
        """The platform's own copy of the root: what verifiers are shipped with."""
        try:
            return (self._keys / "root.json").read_bytes()
        except FileNotFoundError:
            folder = self.repository.parent
            raise BoundsError(
                f"{folder} has no keys/root.json: put your copy of the root back, or use another folder",
                f"{folder} 中缺少 keys/root.json：请放回自存的根元数据，或改用其他目录",
            ) from None

    def sign_again(self) -> bool:
        """Sign again what has passed half of its life, with the keys that are here; with all of them, the root as well.

        Returns:
            Whether it was due.
        """
        ends = {role: end - self._clock() for role, (_, end) in self._signed.ends().items()}
        due = {role for role in ROLES if ends[role] <= LIFETIMES[role] / 2}
        files = {role: file for role in ROLES if (file := self._keys / f"{role}.pem").exists()}
        here = {role: P256SigningKey.from_pem(file.read_bytes()) for role, file in files.items()}
        if "root" in due and len(here) == len(ROLES):  # a year is long, and nobody may remember
            self._signed.rotate("root", [here["root"].verifying_key], here.values())
            replace_file(self._keys / "root.json", self._signed.root)
        if "timestamp" in due:
            self._signed.publish({}, here.values())
        return "timestamp" in due


def _make(folder: Path, ring: KeyRing, clock: Callable[[], float]) -> None:
    """Make keys and repository as a draft, and name it when it is whole; the first of several workers' stays."""
    for left in folder.glob(".rings.*"):  # of a process that was killed; it holds private keys
        if left.stat().st_mtime < time.time() - 3600:
            shutil.rmtree(left, ignore_errors=True)
    draft = Path(tempfile.mkdtemp(prefix=".rings.", dir=folder))
    try:
        keys: dict[str, SigningKey] = {}
        (draft / "keys").mkdir(mode=0o700)
        for role in ROLES:
            key = keys[role] = P256SigningKey.generate()
            replace_file(draft / "keys" / f"{role}.pem", key.to_pem(passphrase=None), mode=0o600)
        public = {role: [key.verifying_key] for role, key in keys.items()}
        repository = RingRepository.create(draft / "repository", public, keys.values(), clock=clock)
        repository.publish({RING: dump_jwks(ring).encode()}, keys.values())
        replace_file(draft / "keys" / "root.json", repository.root)
        try:
            os.rename(draft, folder / "rings")
        except OSError:
            if not (folder / "rings").exists():
                raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def source_of(settings: Settings, publisher: Publisher | None) -> TufRingSource:
    """Where the verifying side gets its rings: the repository that is set, or the platform's own folder.

    Raises:
        ValueError, OSError: the root is not root metadata, or cannot be read.
    """
    state = settings.folder / "rings-seen"
    if publisher is not None:
        return TufRingSource(publisher.repository, publisher.root, state=state)
    address = settings.rings if "://" in settings.rings else Path(settings.rings)
    return TufRingSource(address, Path(settings.rings_root).read_bytes(), state=state)


def staleness(source: HeldRing, now: int, *, is_fresh: bool) -> Words | None:
    """What a person at the counter has to know about the ring; ``None`` if it is up to date."""
    end = source.expires_at
    if end is None:
        return Words(
            "No key ring has arrived: no code can be checked. Tell the operator.",
            "尚未取得密钥环，无法核验任何码。请告知运维人员。",
        )
    if now >= end:
        return Words(
            f"The key ring ended at {time_words(end)}: no code can be checked. Tell the operator.",
            f"密钥环已于 {time_words(end)} 到期，无法核验任何码。请告知运维人员。",
        )
    if not is_fresh:
        return Words(
            "The key ring is out of date: a key that was withdrawn lately may not be known. Codes are checked until "
            f"{time_words(end)}. Tell the operator.",
            f"密钥环无法更新，最近停用的密钥本机可能尚不知晓；可继续核验至 {time_words(end)}。请告知运维人员。",
        )
    return None
