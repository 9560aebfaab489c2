"""Which requests the short way reads itself: exactly those whose meaning leaves no room for two readings."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sequencer.rpc.fast_post import PostHead, parse_head

PLAIN = b"POST / HTTP/1.1\r\nHost: localhost:8545\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"


def test_a_plain_post_is_read() -> None:
    assert parse_head(PLAIN) == PostHead("/", "localhost:8545", None, False, len(PLAIN) - 2, len(PLAIN))


def test_names_are_read_in_any_case_and_values_without_the_space_around_them() -> None:
    head = parse_head(
        b"POST /chain/7 HTTP/1.1\r\nHOST:a\r\norigin:\thttp://b \r\n"
        b"content-LENGTH: 0\r\nAccept-Encoding: br, gzip\r\n\r\n"
    )
    assert head is not None
    assert (head.path, head.host, head.origin, head.accepts_gzip) == ("/chain/7", "a", "http://b", True)
    assert head.body_at == head.body_end


@pytest.mark.parametrize("value", [b"keep-alive", b"Keep-Alive"])
def test_keeping_the_connection_is_what_it_does_anyway(value: bytes) -> None:
    assert parse_head(PLAIN.replace(b"Host", b"Connection: " + value + b"\r\nHost")) is not None


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"POST", b"GET"),
        (b"POST", b"post"),
        (b"HTTP/1.1", b"HTTP/1.0"),
        (b"POST / ", b"POST http://x/ "),
        (b"POST / ", b"POST /?a=1 "),
        (b"POST / ", b"POST  / "),
        (b"Content-Length: 2", b"Content-Length: +2"),
        (b"Content-Length: 2", b"Content-Length: 0x2"),
        (b"Content-Length: 2", b"Content-Length: 2, 2"),
        (b"Content-Length: 2", b"Content-Length: 2\r\nContent-Length: 2"),
        (b"Content-Length: 2", b"Content-Length: 9999999999"),
        (b"Content-Length: 2\r\n", b""),
        (b"Content-Length", b"Content-Length "),
        (b"Host", b"Transfer-Encoding: chunked\r\nHost"),
        (b"Host", b"Content-Encoding: gzip\r\nHost"),
        (b"Host", b"Expect: 100-continue\r\nHost"),
        (b"Host", b"Connection: close\r\nHost"),
        (b"Host", b"Upgrade: websocket\r\nHost"),
        (b"Content-Type", b" folded\r\nContent-Type"),
        (b"Content-Type: application/json", b"no colon here"),
        (b"localhost", b"\xff\xfe"),
    ],
)
def test_anything_else_is_left_to_the_general_protocol(old: bytes, new: bytes) -> None:
    assert old in PLAIN
    assert parse_head(PLAIN.replace(old, new, 1)) is None


@given(st.binary(max_size=300))
def test_garbage_is_left_alone(data: bytes) -> None:
    head = parse_head(data + b"\r\n\r\n")
    assert head is None or data.startswith(b"POST /")
