from __future__ import annotations

import pytest

from tests.status.test_list import READER, URI
from tests.status.test_source import signed, unavailable
from tests.support import NOW
from ybtoken.testing.statuses import check_status_source

httpx = pytest.importorskip("httpx")

from ybtoken.status.http import HttpStatusSource  # noqa: E402  # needs httpx


class Server:
    """Answers as it is told to, and remembers what it was asked."""

    def __init__(self, content: bytes = b"", status: int = 200, headers: dict[str, str] | None = None) -> None:
        self.content, self.status, self.headers = content, status, headers or {}
        self.asked: list[httpx.Request] = []
        self.fails: Exception | None = None

    def __call__(self, request):
        self.asked.append(request)
        if self.fails is not None:
            raise self.fails
        return httpx.Response(self.status, content=self.content, headers=self.headers)

    def source(self, reader=READER, **options) -> HttpStatusSource:
        client = httpx.Client(transport=httpx.MockTransport(self))
        return HttpStatusSource(reader, client=client, **{"clock": lambda: NOW} | options)


def test_it_is_a_source():
    def make(reader, data):
        source = Server(data).source(reader, clock=lambda: 4_000_000_000)
        assert source.refresh()
        return source

    check_status_source(make)


def test_the_list_is_fetched_from_its_own_address():
    server = Server(signed())
    source = server.source()
    assert source.refresh()
    (request,) = server.asked
    assert str(request.url) == URI
    assert request.headers["Accept"] == "application/statuslist+cwt"
    assert source.status(0, NOW).status == 1
    assert len(server.asked) == 1  # asking for a status asks no network


def test_an_unchanged_list_is_not_sent_again():
    server = Server(signed(), headers={"ETag": '"7"'})
    source = server.source()
    assert source.refresh()
    server.status, server.content = 304, b""
    assert not source.refresh()
    assert server.asked[1].headers["If-None-Match"] == '"7"'
    assert source.problem is None


def test_an_older_list_is_not_taken():
    server = Server(signed(issued_at=NOW + 5))
    source = server.source()
    assert source.refresh()
    server.content = signed(b"\0\0\0")
    assert not source.refresh()
    assert source.status(0, NOW).status == 1


@pytest.mark.parametrize("status", [204, 301, 404, 500])
def test_another_answer_is_a_problem_and_what_is_held_stays(status):
    server = Server(signed())
    source = server.source()
    source.refresh()
    server.status = status
    server.headers = {"Location": URI}
    assert not source.refresh()
    assert str(status) in source.problem.reason
    assert source.status(0, NOW).status == 1


def test_without_a_network_the_list_is_asked_until_its_end():
    server = Server(signed())
    source = server.source()
    source.refresh()
    server.fails = httpx.ConnectTimeout("no answer from 10.0.0.1")
    assert not source.refresh(now=NOW + 500)
    assert source.problem.reason == "the list cannot be fetched: ConnectTimeout"
    assert source.status(0, NOW + 599).status == 1
    assert unavailable(source.status, 0, NOW + 600) == "the list is past its end"


def test_before_the_first_list_the_problem_is_told():
    server = Server(status=503)
    source = server.source()
    source.refresh()
    assert unavailable(source.status, 0, NOW) == "the server answered 503"


def test_a_bad_list_is_a_problem_and_its_tag_is_not_kept():
    server = Server(signed()[:-1] + b"\0", headers={"ETag": '"bad"'})
    source = server.source()
    assert not source.refresh()
    assert "signature" in source.problem.reason
    server.content = signed()
    assert source.refresh()
    assert "If-None-Match" not in server.asked[1].headers


def test_an_endless_answer_is_not_read_to_its_end():
    source = Server(bytes(2000)).source(max_bytes=1999)
    assert not source.refresh()
    assert source.problem.reason == "the list has more than 1999 bytes"


def test_a_client_of_its_own_has_a_deadline():
    source = HttpStatusSource(READER)
    assert source._client.timeout == httpx.Timeout(5)
    source._client.close()


def test_settings_of_other_kinds_are_refused():
    for options, complaint in (
        ({"client": httpx.AsyncClient()}, "client is an httpx.Client, not AsyncClient"),
        ({"client": httpx.Client}, "client is an httpx.Client, not the class"),
        ({"max_bytes": 0}, "max_bytes is at least 1"),
        ({"clock": NOW}, "clock is a function"),
    ):
        with pytest.raises((TypeError, ValueError), match=complaint):
            HttpStatusSource(READER, **options)
