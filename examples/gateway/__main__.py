"""``python -m examples.gateway``: the gateway on the loopback."""

from __future__ import annotations

import argparse
import socket
import sys

import uvicorn

from ybtoken.keys.sm2 import LibcryptoError
from ybtoken.words import BoundsError, words_of

from .logs import CONFIG
from .server import Impatient
from .settings import Settings
from .world import open_vault

_bind = uvicorn.Config.bind_socket


def _bind_without_delay(config: uvicorn.Config) -> socket.socket:
    """The socket that several workers share, without Nagle's algorithm; what it accepts inherits that.

    asyncio does not see that this one speaks TCP, and each answer but the first of a connection would wait 40 ms for a
    delayed acknowledgement (github.com/Kludex/uvicorn/issues/3149).
    """
    listener = _bind(config)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def main() -> int:
    """Start it; the settings are in the environment."""
    parser = argparse.ArgumentParser(prog="python -m examples.gateway", description="The ybtoken gateway")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--workers", type=int, default=1)
    options = parser.parse_args()
    try:
        settings = Settings.from_environment()
        if options.workers > 1 and settings.remembers == "memory":
            raise ValueError(
                "YBTOKEN_GATEWAY_GUARD=memory serves one worker: with more, a code is good once in EACH of them. / "
                "YBTOKEN_GATEWAY_GUARD=memory 仅限一个进程：多个进程各自记录核销，同一码可在每个进程各用一次。"
            )
        signing = open_vault(settings).signing
    except (ValueError, OSError, LibcryptoError) as error:  # an operator gets a sentence, and no traceback
        words = words_of(error) if isinstance(error, BoundsError) else None
        print(f"error: {error if words is None else ' / '.join(words)}", file=sys.stderr)
        return 2
    print("\n".join(settings.lines()))
    print(f"{signing.algorithm.name}, redemptions in {'Redis' if settings.redis else settings.remembers}")
    print(f"手机 phone     http://{options.host}:{options.port}/phone")
    print(f"终端 terminal  http://{options.host}:{options.port}/terminal")
    print(f"接口 API       http://{options.host}:{options.port}/docs", flush=True)
    uvicorn.Config.bind_socket = _bind_without_delay  # type: ignore[method-assign]
    uvicorn.run(
        "examples.gateway.app:create_app",
        factory=True,
        host=options.host,
        port=options.port,
        workers=options.workers,
        http=Impatient,
        ws="none",
        log_config=CONFIG,
        log_level="warning",
        access_log=False,  # it would be the largest cost of a request
        server_header=False,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
