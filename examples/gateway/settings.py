"""What can be set, each by one environment variable: YBTOKEN_GATEWAY_ and the name in capitals."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Self

PREFIX = "YBTOKEN_GATEWAY_"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The gateway's settings.

    Args:
        folder: where the demo's secrets and the status registry are kept; made, with new secrets, if it is not there.
        redis: the address of a Redis or Valkey server in which redemptions are remembered. Without one they are
            remembered in this process: then one worker only.
        replicas: strict mode: a redemption counts when so many replicas have it.
        engine: "native" to verify by the native engine (extra ``native``), "serial" for the one in Python.
        algorithm: "sm2" or "es256" for a new signing key; by default SM2 where a libcrypto signs with it.
        lifetime: for how many seconds a voucher is valid.
        skew: by how many seconds the clocks of phone, platform and gateway may differ.
        clock_offset: seconds to add to this machine's clock, to see what a wrong clock does.
        place: the city code of the place where the terminals stand, for the events.
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

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """Read the settings; what is not set has its default."""
        kinds = {"folder": Path, "replicas": int, "lifetime": int, "skew": int, "clock_offset": int}
        return cls(
            **{
                field.name: kinds.get(field.name, str)(environment[name])
                for field in fields(cls)
                if (name := PREFIX + field.name.upper()) in environment
            }
        )
