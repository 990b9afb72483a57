from __future__ import annotations

import pytest

from tests.status.test_list import READER, RING, URI
from tests.status.test_source import signed, unavailable
from tests.support import NOW
from ybtoken.status.list import StatusListReader
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
        return httpx.Response(self.status, stream=httpx.ByteStream(self.content), headers=self.headers)

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
    assert source.problem.reason == "the server did not answer in time"
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


@pytest.mark.parametrize("coding", ["gzip", "gzip, gzip", "br", "deflate", "x"])
def test_no_coding_is_accepted(coding):
    import gzip

    server = Server(gzip.compress(gzip.compress(signed())), headers={"Content-Encoding": coding})
    source = server.source()
    assert not source.refresh()
    assert "compressed" in source.problem.reason
    assert server.asked[0].headers["Accept-Encoding"] == "identity"


def test_what_counts_are_the_bytes_that_are_sent():
    server = Server(signed(), headers={"Content-Encoding": "Identity"})
    assert server.source(max_bytes=len(signed())).refresh()
    assert not server.source(max_bytes=len(signed()) - 1).refresh()


@pytest.mark.parametrize("etag", ["\xff", "a\tb", "x" * 300, ""])
def test_an_odd_tag_is_not_sent_back(etag):
    server = Server(signed(), headers=[(b"ETag", etag.encode("latin-1"))])
    source = server.source()
    assert source.refresh()
    source.refresh()
    assert "If-None-Match" not in server.asked[1].headers


@pytest.mark.parametrize("error", [httpx.InvalidURL("x"), UnicodeEncodeError("ascii", "x", 0, 1, "x"), KeyError("x"),
                                   httpx.TooManyRedirects("x"), RuntimeError("x")])  # fmt: skip
def test_whatever_goes_wrong_is_a_problem(error):
    server = Server(signed())
    server.fails = error
    source = server.source()
    assert not source.refresh()
    assert source.problem.reason == "the list cannot be fetched"


@pytest.mark.parametrize(
    "answer", [b"HTTP/1.1 200 OK\r\nX: ", b"HTTP/1.1 200 OK\r\nContent-Length: 999999\r\n\r\n", b""]
)
def test_a_server_that_drips_is_left_at_the_deadline(answer):
    """It sends a byte every 20 ms: each read is short, and the whole would never end."""
    import socket
    import threading

    ended = threading.Event()

    def drip(listening):
        connection, _ = listening.accept()
        with connection:
            connection.sendall(answer)
            try:
                while not ended.wait(0.02):
                    connection.sendall(b"x")
            except OSError:
                ended.set()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=drip, args=(listening,), daemon=True).start()
        reader = StatusListReader(RING, f"http://127.0.0.1:{listening.getsockname()[1]}/list")
        source = HttpStatusSource(reader, deadline=0.5)
        assert not source.refresh()
        assert source.problem.reason == "the list was not there within 0.5 s"
        assert ended.wait(60)  # the connection was shut, so no thread waits on it


def test_a_fetch_that_cannot_be_cut_is_the_only_one():
    import threading

    class Stuck(httpx.BaseTransport):
        def __init__(self):
            self.asked, self.free = 0, threading.Event()

        def handle_request(self, request):
            self.asked += 1
            self.free.wait(60)  # as in a look-up of the address, nothing is connected yet
            return httpx.Response(200, stream=httpx.ByteStream(signed()))

    transport = Stuck()
    source = HttpStatusSource(READER, client=httpx.Client(transport=transport), clock=lambda: NOW, deadline=0.05)
    assert not source.refresh()
    assert "not there within" in source.problem.reason
    for _ in range(3):
        assert not source.refresh()
        assert "still hangs" in source.problem.reason
    transport.free.set()
    source._deadline = 60
    assert source.refresh()
    assert (transport.asked, source.problem) == (2, None)


@pytest.mark.parametrize(
    "uri", ["status.example/1", "ftp://a/b", "http://", "https://a:b/", "https://a\x01/", "https://é.\ud800/"]
)
def test_an_address_that_is_none_is_misuse(uri):
    with pytest.raises(ValueError, match="uri"):
        HttpStatusSource(StatusListReader(RING, uri))


def test_settings_of_other_kinds_are_refused():
    for options, complaint in (
        ({"client": httpx.AsyncClient()}, "client is an httpx.Client, not AsyncClient"),
        ({"client": httpx.Client}, "client is an httpx.Client, not the class"),
        ({"deadline": 0}, "deadline is above 0"),
        ({"deadline": "5"}, "deadline is a number of seconds"),
        ({"max_bytes": 0}, "max_bytes is at least 1"),
        ({"clock": NOW}, "clock is a function"),
    ):
        with pytest.raises((TypeError, ValueError), match=complaint):
            HttpStatusSource(READER, **options)
