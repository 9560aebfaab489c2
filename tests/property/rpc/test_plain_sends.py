"""A plain send read by the engine and by the server's own parsers is the same request with the same answer."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sequencer.core import encoding
from sequencer.core.keccak import keccak256
from sequencer.rpc import jsonrpc
from sequencer.rpc.errors import Errors, RpcError
from sequencer.rpc.fast_post import parse_head

pytest.importorskip("rollup_sequencer_native", reason="the native engine is not built: `make native` builds it")

from execution.evm.native.ingress import NativeSendReader

BATCH_LIMIT = 4
READER = NativeSendReader(body_limit=4_096, batch_limit=BATCH_LIMIT, gzip_threshold=2_048, answer_limit=100_000)
SEND = "eth_sendRawTransaction"
SEND_SYNC = "eth_sendRawTransactionSync"


def post(body: bytes, *headers: bytes) -> bytes:
    lines = [b"POST / HTTP/1.1", b"Host: localhost", *headers, b"Content-Length: %d" % len(body)]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def call(**members: object) -> dict[str, object]:
    return {"jsonrpc": "2.0", "id": 1, "method": SEND, "params": ["0x02f8"], **members}


def agree(request: bytes) -> bool:
    """Whether the engine took the request; if so, after checking all that it said of it."""
    (sends,) = READER.read([request])
    if sends is None:
        return False
    head = parse_head(request)
    assert head is not None
    assert (sends.path, sends.host, sends.origin, sends.forwarded_for, sends.end) == (
        head.path,
        head.host,
        head.origin,
        head.forwarded_for,
        head.body_end,
    )
    parsed = jsonrpc.parse(request[head.body_at : head.body_end], BATCH_LIMIT)
    calls = parsed if isinstance(parsed, list) else [parsed]
    method = SEND_SYNC if sends.awaited else SEND
    assert all(isinstance(one, jsonrpc.Request) and one.method == method and not one.notification for one in calls)
    assert sends.accepts_gzip == head.accepts_gzip
    assert orjson.loads(sends.id) == calls[0].id
    assert [[encoding.parse_data(data) for data in one.params] for one in calls] == [[raw] for raw in sends.raws]
    assert list(sends.hashes) == [keccak256(raw) for raw in sends.raws]
    if sends.awaited:
        assert not isinstance(parsed, list)
        return True
    error = RpcError(Errors.SERVER, "nonce too low")
    for refused in ([], [0], list(range(len(calls)))):
        answers = [
            jsonrpc.failure(one.id, error)
            if place in refused
            else jsonrpc.success(one.id, encoding.data(keccak256(sends.raws[place])))
            for place, one in enumerate(calls)
        ]
        body = jsonrpc.join_batch(answers) if isinstance(parsed, list) else answers[0]
        expected = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\nVary: Origin\r\n\r\n%b"
        errors = [(place, orjson.dumps(error.to_json())) for place in refused]
        assert sends.answer(b"Vary: Origin\r\n", errors) == expected % (len(body), body)
    return True


@pytest.mark.parametrize(
    "body",
    [
        orjson.dumps(call()),
        b' { "method" : "eth_sendRawTransaction",\r\n "params":[ "0x02F8" ] ,\t"id":"a-1","jsonrpc":"2.0"}\n',
        orjson.dumps(call(id=None)),
        orjson.dumps(call(id=0)),
        orjson.dumps(call(method=SEND_SYNC)),
        orjson.dumps([call()]),
        orjson.dumps([call(id=serial) for serial in range(BATCH_LIMIT)]),
    ],
)
def test_what_clients_send_is_taken(body: bytes) -> None:
    assert agree(post(body))
    assert agree(
        post(body, b"Connection: keep-alive", b"User-Agent: any", b"Accept-Encoding: gzip", b"Origin: http://a")
    )
    assert agree(post(body) + b"POST / HTTP/1.1\r\n")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b"null",
        orjson.dumps(call(method="eth_chainId")),
        orjson.dumps(call(jsonrpc="1.0")),
        orjson.dumps(call(method=SEND_SYNC, params=["0x02f8", 500])),
        orjson.dumps([call(method=SEND_SYNC)]),
        orjson.dumps([call(), call(method=SEND_SYNC)]),
        orjson.dumps(call(id=1.0)),
        orjson.dumps(call(id=True)),
        orjson.dumps(call(id=-1)),
        orjson.dumps(call(id=2**53)),
        orjson.dumps(call(id="é")),
        orjson.dumps(call(extra=1)),
        orjson.dumps(call(params=[])),
        orjson.dumps(call(params=["0x"])),
        orjson.dumps(call(params=["0x0"])),
        orjson.dumps(call(params=["0x0x02"])),
        orjson.dumps(call(params=["02f8"])),
        orjson.dumps(call(params=["0x02f8", 1])),
        orjson.dumps(call(params={"a": "0x02f8"})),
        orjson.dumps([call(id=serial) for serial in range(BATCH_LIMIT + 1)]),
        orjson.dumps([call(), call(method="eth_chainId")]),
        orjson.dumps(call())[:-1],
        orjson.dumps(call()) + b"}",
        orjson.dumps(call()).replace(b'"id":1', b'"id":01'),
        orjson.dumps(call()).replace(b'"id":1', b'"id":1,"id":2'),
        orjson.dumps(call()).replace(b'"id":1', b'"id":"\\u0031"'),
        orjson.dumps(call()).replace(b'"id":1', b'"id":"a\tb"'),
        orjson.dumps(call()).replace(b'"id":1,', b""),
        orjson.dumps(call(params=["0x" + "00" * 4_096])),
    ],
)
def test_whatever_needs_a_second_thought_is_declined(body: bytes) -> None:
    assert not agree(post(body))


@pytest.mark.parametrize(
    "header",
    [
        b"Content-Length: 2",
        b"Host: b",
        b"Transfer-Encoding: chunked",
        b"Connection: close",
        b"Expect: 100-continue",
        b"Upgrade: h2c",
        b"X-Any : 1",
        b" folded",
        b"no colon",
        b"X-Any: a\nTransfer-Encoding: chunked",
        b"X-Any: a\rb",
        b"X-Any: \xff",
        b"X-Any: " + b"a" * 9_000,
    ],
)
def test_a_header_that_needs_a_second_thought_is_declined(header: bytes) -> None:
    assert not agree(post(orjson.dumps(call()), header))


def test_an_answer_that_would_be_compressed_is_declined() -> None:
    (sends,) = NativeSendReader(body_limit=9_999, batch_limit=9, gzip_threshold=100, answer_limit=99_999).read(
        [post(orjson.dumps(call()), b"Accept-Encoding: gzip")]
    )
    assert sends is None


def test_a_request_that_is_not_whole_is_declined() -> None:
    request = post(orjson.dumps([call(), call()]))
    assert READER.read([request[:size] for size in range(len(request))]) == [None] * len(request)


ids = st.one_of(st.none(), st.integers(0, 2**60), st.text(max_size=5), st.floats(allow_nan=False), st.booleans())
data = st.binary(max_size=40).map(lambda raw: "0x" + raw.hex()) | st.text(max_size=5)
calls = st.fixed_dictionaries(
    {
        "jsonrpc": st.just("2.0"),
        "method": st.sampled_from([SEND, SEND_SYNC]),
        "params": st.lists(data, min_size=1, max_size=1),
    },
    optional={"id": ids, "extra": st.none()},
)
bodies = st.one_of(calls, st.lists(calls, max_size=BATCH_LIMIT + 1))
headers = st.lists(
    st.sampled_from(
        [b"Accept-Encoding: gzip", b"Origin: http://a", b"X-Forwarded-For: 1.2.3.4", b"Connection: Keep-Alive", b"A:"]
    ),
    max_size=3,
)
damages = st.lists(st.tuples(st.floats(0, 1), st.sampled_from("cdir"), st.binary(min_size=1, max_size=2)), max_size=3)


@given(bodies, headers, damages, st.sampled_from([0, orjson.OPT_INDENT_2]))
def test_whatever_is_taken_is_read_alike(
    body: object, lines: list[bytes], damage: list[tuple[float, str, bytes]], style: int
) -> None:
    request = bytearray(post(orjson.dumps(body, option=style), *lines))
    for where, what, new in damage:
        at = int(where * len(request))
        match what:
            case "c":
                del request[at:]
            case "d":
                del request[at : at + len(new)]
            case "i":
                request[at:at] = new
            case _:
                request[at : at + len(new)] = new
    agree(bytes(request))


@given(st.binary(max_size=400))
def test_garbage_is_declined(garbage: bytes) -> None:
    assert not agree(garbage)
    assert not agree(post(garbage))
