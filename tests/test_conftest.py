"""The line of a test run about the tests that it skipped."""

from __future__ import annotations

from tests.conftest import what_is_missing


def test_the_last_line_counts_what_is_missing():
    line = what_is_missing(
        [
            "no redis-server on this machine",
            "no Chromium on this machine",
            "no redis-server on this machine",
            "go-cose cannot be made ready: go is not installed ",
            "no Go here",
            "the native engine is not installed",
            "something else",
        ]
    )
    assert line == (
        "7 skipped: 2 for want of redis-server; 2 for want of go (Debian: golang-go); 1 for want of chromium; "
        "1 for want of cargo (https://rustup.rs), for the native engine; 1 for want of something else"
    )
