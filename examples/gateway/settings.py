"""What can be set, each by one environment variable: YBTOKEN_GATEWAY_ and the name in capitals.

A setting decides where used codes are remembered, so none is guessed: a name that is not one of them, or a value that
cannot be, stops the start with a sentence that says what is expected.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

PREFIX = "YBTOKEN_"
OURS = PREFIX + "GATEWAY_"
_OF_OTHERS = frozenset({"YBTOKEN_VECTORS", "YBTOKEN_SEED", "YBTOKEN_SHOTS", "YBTOKEN_CHAOS_KILLS"})  # of the tests
_HOST = re.compile(r"[A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\]")


class SettingError(ValueError):
    """A setting that cannot be; the sentence is in English and Chinese."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The gateway's settings.

    Args:
        folder: where the demo's secrets and the status registry are kept; made, with new secrets, if it is not there.
        redis: the address of a Redis or Valkey server in which redemptions are remembered. Without one they are
            remembered in this process: then one worker only.
        replicas: strict mode: a redemption counts when so many replicas have it.
        engine: "native" to verify by the native engine (extra ``native``), "serial" for the one in Python.
        algorithm: "sm2" or "es256" for a new signing key; by default SM2 where a libcrypto signs with it. If the folder
            has a key already, it has to be of this kind.
        lifetime: for how many seconds a voucher is valid.
        skew: by how many seconds the clocks of phone, platform and gateway may differ.
        clock_offset: seconds to add to this machine's clock, to see what a wrong clock does.
        place: the city code of the place where the terminals stand, for the events.
        hosts: the names by which clients may call the gateway, separated by commas; a request with another ``Host`` is
            refused, because a page from elsewhere could reach the gateway by a name of its own (DNS rebinding).
    """

    folder: Path = Path("build/gateway")
    redis: str = ""
    replicas: int = 0
    engine: str = "serial"
    algorithm: str = ""
    lifetime: int = 60
    skew: int = 10
    clock_offset: int = 0
    place: str = "330100"
    hosts: str = "127.0.0.1,localhost,[::1]"

    def __post_init__(self) -> None:
        for name, found, wanted in (
            ("engine", self.engine in ("serial", "native"), "serial or native"),
            ("algorithm", self.algorithm in ("", "sm2", "es256"), "sm2 or es256"),
            ("lifetime", 1 <= self.lifetime <= 3600, "1 to 3600 seconds"),
            ("skew", 0 <= self.skew <= 300, "0 to 300 seconds"),
            ("replicas", 0 <= self.replicas <= 64, "0 to 64"),
            ("clock_offset", abs(self.clock_offset) <= 366 * 24 * 3600, "at most a year, in seconds"),
            ("place", re.fullmatch("[0-9]{6}", self.place), "a city code of six digits"),
            ("redis", self.redis == "" or _is_store(self.redis), "redis://, rediss:// or unix://"),
            ("hosts", all(map(_HOST.fullmatch, self.hosts.split(","))), "host names, separated by commas"),
        ):
            if not found:
                raise _wrong(name, wanted)
        if self.replicas and not self.redis:
            raise _wrong("replicas", "0 where no store is set")

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """Read the settings; what is not set has its default.

        Raises:
            SettingError: a name or a value that cannot be.
        """
        kinds: dict[str, Any] = {"folder": Path, "replicas": int, "lifetime": int, "skew": int, "clock_offset": int}
        known = {OURS + field.name.upper(): field.name for field in fields(cls)}
        given: dict[str, Any] = {}
        for name, value in environment.items():
            if not name.startswith(PREFIX) or name in _OF_OTHERS:
                continue
            if name not in known:
                names = ", ".join(known)
                raise SettingError(f"{name} is no setting; there are: {names}. / {name} 不是设置项；可用：{names}。")
            kind = kinds.get(known[name], str)
            try:
                given[known[name]] = kind(value)
            except ValueError:
                raise _wrong(known[name], "a whole number") from None
        return cls(**given)

    def lines(self) -> list[str]:
        """What is set, a line each, without a password."""
        shown = {field.name: getattr(self, field.name) for field in fields(self)}
        if self.redis:
            address = urlsplit(self.redis)
            shown["redis"] = address._replace(netloc=address.netloc.rpartition("@")[2], query="").geturl()
        return [f"{OURS}{name.upper()}={value}" for name, value in shown.items()]


def _is_store(url: str) -> bool:
    address = urlsplit(url)
    return address.scheme in ("redis", "rediss", "unix") and bool(address.netloc or address.path)


def _wrong(name: str, wanted: str) -> SettingError:
    name = OURS + name.upper()
    return SettingError(f"{name} is {wanted}. / {name} 的取值应为：{wanted}。")
