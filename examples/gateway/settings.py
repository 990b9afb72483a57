"""What can be set, each by one environment variable: YBTOKEN_GATEWAY_ and the name in capitals.

A setting decides where used codes are remembered, so none is guessed: a name that is not one of them, or a value that
cannot be, stops the start with a sentence that says what is expected.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, Self
from urllib.parse import parse_qs, urlsplit

from ybtoken.words import Words

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
            remembered in a file in the folder, which all workers of this machine share.
        guard: "memory" to remember redemptions in this process only, to measure without a store: a code is good again
            after a restart, and there can be one worker only.
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
        rings: the repository of key rings that verification follows: an address (``https://...``) or a folder. By
            default the gateway publishes one in its folder, at first with its own signing key only, and follows that.
        rings_root: the file of root metadata from which the trust in that repository follows.
    """

    folder: Path = Path("build/gateway")
    redis: str = field(default="", repr=False)  # it may hold a password
    guard: str = ""
    replicas: int = 0
    engine: str = "serial"
    algorithm: str = ""
    lifetime: int = 60
    skew: int = 10
    clock_offset: int = 0
    place: str = "330100"
    hosts: str = "127.0.0.1,localhost,[::1]"
    rings: str = ""
    rings_root: str = ""

    def __post_init__(self) -> None:
        for name, found, wanted in (
            ("engine", self.engine in ("serial", "native"), Words("serial or native", "serial 或 native")),
            ("algorithm", self.algorithm in ("", "sm2", "es256"), Words("sm2 or es256", "sm2 或 es256")),
            ("guard", self.guard in ("", "memory"), Words("memory, or is not set", "memory，或不设置")),
            ("lifetime", 1 <= self.lifetime <= 3600, Words("1 to 3600 seconds", "1 至 3600 秒")),
            ("skew", 0 <= self.skew <= 60, Words("0 to 60 seconds", "0 至 60 秒")),
            ("replicas", 0 <= self.replicas <= 64, Words("0 to 64", "0 至 64")),
            (
                "clock_offset",
                abs(self.clock_offset) <= 366 * 24 * 3600,
                _YEAR,
            ),
            ("place", re.fullmatch("[0-9]{6}", self.place), Words("a city code of six digits", "六位参保地代码")),
            ("redis", self.redis == "" or _shown(self.redis), _STORE),
            ("rings", "://" not in self.rings or _is_repository(self.rings), _REPOSITORY),
            (
                "hosts",
                all(map(_HOST.fullmatch, self.hosts.split(","))),
                _NAMES,
            ),
        ):
            if not found:
                raise _wrong(name, wanted)
        if bool(self.rings) != bool(self.rings_root):
            raise _wrong("rings_root", Words("set if and only if rings is", "与 rings 同时设置或同时留空"))
        if self.replicas and not self.redis:
            raise _wrong("replicas", Words("0 where no store is set", "0（未设置存储时）"))
        if self.guard and self.redis:
            raise _wrong("guard", Words("not set where a store is", "空（已设置存储时）"))

    @property
    def remembers(self) -> Literal["file", "memory", "redis"]:
        """Where redemptions are remembered."""
        return "redis" if self.redis else "memory" if self.guard else "file"

    @property
    def store(self) -> str:
        """The store of used codes, without a password."""
        return _shown(self.redis) or self.remembers

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """Read the settings; what is not set has its default.

        Raises:
            SettingError: a name or a value that cannot be.
        """
        kinds: dict[str, Any] = {"folder": Path, "replicas": int, "lifetime": int, "skew": int, "clock_offset": int}
        known = {OURS + each.name.upper(): each.name for each in fields(cls)}
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
                raise _wrong(known[name], Words("a whole number", "整数")) from None
        return cls(**given)

    def lines(self) -> list[str]:
        """What is set, a line each, without a password."""
        shown = {each.name: getattr(self, each.name) for each in fields(self)} | {"redis": _shown(self.redis)}
        return [f"{OURS}{name.upper()}={value}" for name, value in shown.items()]


_YEAR = Words("at most a year, in seconds", "不超过一年的秒数")
_NAMES = Words("host names, separated by commas", "以逗号分隔的主机名")
_STORE = Words(
    "redis://, rediss:// or unix://, with /, ?, # and @ in a password written as %2F, %3F, %23 and %40; after ? one "
    "db, username, password, ssl_... and socket_... may stand",
    "redis://、rediss:// 或 unix:// 地址，密码中的 /、?、#、@ 须写作 %2F、%3F、%23、%40；"
    "? 之后只可有 db（一个）、username、password、ssl_…、socket_…",
)
_AFTER_QUESTION_MARK = re.compile("db|username|password|ssl_[a-z_]+|socket_[a-z_]+")


_REPOSITORY = Words("https:// and a host, without a password, or a folder", "https:// 地址（不含密码）或目录")


def _is_repository(url: str) -> bool:
    try:
        address = urlsplit(url)
        host, _ = address.hostname or "", address.port
    except ValueError:
        return False
    host = f"[{host}]" if ":" in host else host
    plain = _HOST.fullmatch(host) and "@" not in url and not address.query + address.fragment
    return address.scheme in ("http", "https") and bool(plain)


def _shown(url: str) -> str:
    """A store's address without user and password, put together from its parts; "" if it is none.

    A password with a delimiter in it would stand in another part, so an address is only shown if every part is plain.
    What is shown tells one store from another, so the database is in it wherever redis-py reads it: in the query first.
    """
    try:
        address = urlsplit(url)
        host, port = address.hostname or "", address.port
        query = parse_qs(address.query, keep_blank_values=True, strict_parsing=bool(address.query))
    except ValueError:
        return ""
    if address.fragment or "@" in address.path + address.query or not all(map(_AFTER_QUESTION_MARK.fullmatch, query)):
        return ""
    number = query.get("db", [])
    if len(number) > 1 or not all(re.fullmatch("[0-9]+", each) for each in number):
        return ""
    if address.scheme == "unix":
        database = "".join(f"?db={each}" for each in number)
        return f"unix://{address.path}{database}" if address.path and not host else ""
    if address.scheme not in ("redis", "rediss") or not re.fullmatch("(/[0-9]*)?", address.path):
        return ""
    path = f"/{number[0]}" if number else address.path
    host = f"[{host}]" if ":" in host else host
    if not (host or address.path) or (host and not _HOST.fullmatch(host.replace("_", "-"))):
        return ""
    return f"{address.scheme}://{host}{'' if port is None else f':{port}'}{path}"


def _wrong(name: str, wanted: Words) -> SettingError:
    name = OURS + name.upper()
    return SettingError(f"{name} is {wanted.en}. / {name} 的取值应为：{wanted.zh}。")
