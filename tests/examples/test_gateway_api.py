"""The gateway conforms to its OpenAPI for any request: a bounded run of schemathesis."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

schemathesis = pytest.importorskip("schemathesis")
pytest.importorskip("fastapi")
pytest.importorskip("segno")

from schemathesis.specs.openapi.checks import positive_data_acceptance  # noqa: E402

from examples.gateway.app import create_app  # noqa: E402
from examples.gateway.settings import Settings  # noqa: E402
from examples.gateway.world import World  # noqa: E402


@asynccontextmanager
async def _no_lifespan(app: Any) -> AsyncIterator[None]:
    """Do nothing. The lowest schemathesis starts and ends the application at every request, which closes the world."""
    yield


def test_every_answer_is_one_that_openapi_names(tmp_path: Path) -> None:
    world = World(Settings(folder=tmp_path, algorithm="es256", hosts="testserver,localhost"))
    world.refresh_statuses()
    app = create_app(world)
    app.router.lifespan_context = _no_lifespan
    api = schemathesis.openapi.from_asgi("/openapi.json", app)
    asked = set()
    for operation in (result.ok() for result in api.get_all_operations()):

        @settings(max_examples=20, suppress_health_check=list(HealthCheck))
        @given(case=operation.as_strategy())
        def ask(case: Any) -> None:
            # A code may be refused although the request conforms.
            case.call_and_validate(excluded_checks=[positive_data_acceptance])

        ask()
        asked.add(operation.path)
    assert {"/issue", "/redeem", "/redeem-batch", "/verify-batch", "/status/{index}"} <= asked
    world.close()


def test_the_description_of_the_api_is_whole(tmp_path: Path) -> None:
    document = create_app(World(Settings(folder=tmp_path, algorithm="es256"))).openapi()
    operations = [(path, name) for path, item in document["paths"].items() for name in item]
    assert len(operations) >= 16
    for path, name in operations:
        stated = document["paths"][path][name]
        assert stated["summary"]
        assert "422" not in stated["responses"] or "Problem" in str(stated["responses"]["422"]), path
    assert "Problem" in document["components"]["schemas"]
