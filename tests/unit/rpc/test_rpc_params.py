"""Parameters: what is accepted, and geth's words for what is not."""

from typing import Any

import pytest

from sequencer.core.calls import AccountOverride
from sequencer.core.errors import Malformed
from sequencer.core.transaction import AccessListEntry, Authorization
from sequencer.core.types import ZERO_HASH, Address, Hash32
from sequencer.rpc.block_id import ByHash, Tag, block_id
from sequencer.rpc.call_object import call_object, state_overrides
from sequencer.rpc.log_query import LogMatch, LogQuery, log_query
from sequencer.rpc.params import loose_integer, storage_slot
from tests.unit.rpc.calling import error, result
from tests.unit.rpc.sample_chain import CHAIN_ID, CONTRACT, OTHER, TOPIC, USER, dispatcher, log, sample_backend

HASH = "0x" + "ab" * 32
ADDRESS = "0x" + USER.hex()
BOTH_SET = (
    'invalid argument 0: both "data" and "input" are set and not equal. '
    'Please use "input" to pass transaction call data'
)


@pytest.mark.parametrize(
    ("value", "parsed"),
    [
        ("latest", Tag.LATEST),
        ("pending", Tag.PENDING),
        ("safe", Tag.SAFE),
        ("finalized", Tag.FINALIZED),
        ("earliest", Tag.EARLIEST),
        ("0x0", 0),
        ("0x1b", 27),
        ("0XFF", 255),
        (HASH, ByHash(Hash32(b"\xab" * 32))),
        ({"blockHash": HASH}, ByHash(Hash32(b"\xab" * 32))),
        ({"blockHash": HASH, "requireCanonical": True}, ByHash(Hash32(b"\xab" * 32))),
        ({"blockNumber": "0x5"}, 5),
        ({"blockNumber": "safe", "blockHash": None}, Tag.SAFE),
    ],
)
def test_block_ids(value: object, parsed: object) -> None:
    assert block_id(value) == parsed


@pytest.mark.parametrize(
    "value",
    [
        "",
        "0x",
        "0x01",
        "27",
        "Latest",
        "newest",
        "0x1 ",
        "0x" + "f" * 17,
        27,
        True,
        [],
        {},
        {"blockHash": "0x12"},
        {"blockHash": HASH, "blockNumber": "0x1"},
        {"blockHash": HASH, "requireCanonical": "yes"},
    ],
)
def test_what_names_no_block(value: object) -> None:
    with pytest.raises(Malformed):
        block_id(value)


@pytest.mark.parametrize(
    ("method", "params", "message"),
    [
        ("eth_getBalance", [], "missing value for required argument 0"),
        ("eth_getBalance", [None], "missing value for required argument 0"),
        ("eth_getStorageAt", [ADDRESS], "missing value for required argument 1"),
        ("eth_getBalance", ["0x12"], "invalid argument 0: hex string has length 2, want 40"),
        ("eth_getBalance", ["12"], "invalid argument 0: hex string without 0x prefix"),
        ("eth_getBalance", [1], "invalid argument 0: expected a hex string"),
        ("eth_getBalance", [ADDRESS, "0x01"], "invalid argument 1: hex number with leading zero digits"),
        ("eth_getBalance", [ADDRESS, "latest", 1], "too many arguments, want at most 2"),
        ("eth_chainId", [1], "too many arguments, want at most 0"),
        ("eth_getStorageAt", [ADDRESS, "0xasdf"], 'invalid argument 1: invalid hex in storage key: "0xasdf"'),
        ("eth_getBlockByNumber", ["latest", "yes"], "invalid argument 1: expected a boolean"),
        ("eth_getTransactionReceipt", ["0x1"], "invalid argument 0: hex string of odd length"),
        ("eth_call", [[]], "invalid argument 0: expected an object"),
        ("eth_call", [{"to": "0x1"}], "invalid argument 0: to: hex string of odd length"),
        ("eth_call", [{"gas": 5}], "invalid argument 0: gas: expected a hex string"),
        ("eth_feeHistory", ["0x1", "latest", ["a"]], "invalid argument 2: expected an array of numbers"),
        ("eth_feeHistory", ["0x1", "latest", [True]], "invalid argument 2: expected an array of numbers"),
        ("eth_feeHistory", ["0x1", "latest", [50, 20]], "invalid reward percentile: #0:50.000000 >= #1:20.000000"),
        ("eth_feeHistory", ["0x1", "latest", [101]], "invalid reward percentile: 101.000000"),
        ("eth_getLogs", [{"fromBlock": "0x3", "toBlock": "0x1"}], "invalid block range params"),
        ("eth_getLogs", [{"toBlock": "pending"}], "pending logs are not supported"),
        ("eth_getStorageValues", [{}], "empty request"),
        ("eth_sendRawTransaction", ["0xzz"], "invalid argument 0: invalid hex string"),
        ("eth_sendRawTransactionSync", ["0x", {}], "invalid argument 1: expected a hex string"),
    ],
)
async def test_refused_in_geths_words(method: str, params: list[Any], message: str) -> None:
    answer = await error(dispatcher(sample_backend()), method, *params)
    assert answer == {"code": -32602, "message": message}


@pytest.mark.parametrize(
    ("key", "slot"),
    [
        ("0x0", ZERO_HASH),
        ("0x", ZERO_HASH),
        ("0x01", Hash32(bytes(31) + b"\1")),
        ("5", Hash32(bytes(31) + b"\5")),
        (HASH, Hash32(b"\xab" * 32)),
    ],
)
def test_short_storage_keys_are_padded(key: str, slot: Hash32) -> None:
    assert storage_slot(key) == slot


@pytest.mark.parametrize("key", ["0x" + "0" * 65, "0xg", "0x 1", 0, None, "\u0663"])
def test_wrong_storage_keys(key: object) -> None:
    with pytest.raises(Malformed):
        storage_slot(key)


@pytest.mark.parametrize(("value", "number"), [(5, 5), ("5", 5), ("0x5", 5), (0, 0), (-1, -1)])
def test_counts_come_in_every_spelling(value: object, number: int) -> None:
    assert loose_integer(value) == number


@pytest.mark.parametrize("value", [1.5, True, "five", "", "-1", None, "9" * 21])
def test_what_is_no_count(value: object) -> None:
    with pytest.raises(Malformed):
        loose_integer(value)


def test_a_call_object_as_cast_sends_it() -> None:
    parsed = call_object(
        {
            "from": "0x" + USER.hex().upper(),
            "to": None,
            "input": "0x6000",
            "data": "0x6000",
            "value": "0x1",
            "gas": "0x5208",
            "maxFeePerGas": "0x10",
            "maxPriorityFeePerGas": "0x1",
            "nonce": "0x3",
            "chainId": hex(CHAIN_ID),
            "type": "0x4",
            "accessList": [{"address": ADDRESS, "storageKeys": [HASH]}],
            "authorizationList": [
                {
                    "chainId": "0x1",
                    "address": ADDRESS,
                    "nonce": "0x2",
                    "yParity": "0x1",
                    "r": "0x" + "00" * 31 + "05",
                    "s": "0x6",
                }
            ],
            "unknown": "ignored",
        }
    )
    request = parsed.checked(CHAIN_ID)
    assert (request.sender, request.to, request.data, request.value) == (USER, None, b"\x60\x00", 1)
    assert (request.gas_limit, request.max_fee_per_gas, request.max_priority_fee_per_gas) == (21_000, 16, 1)
    assert (request.nonce, request.gas_price) == (3, None)
    assert request.access_list == (AccessListEntry(USER, (Hash32(b"\xab" * 32),)),)
    assert request.authorizations == (Authorization(1, USER, 2, 1, 5, 6),)


@pytest.mark.parametrize(
    ("fields", "code", "message"),
    [
        ({"chainId": "0x1"}, -32000, "chainId does not match node's (have=1, want=7357)"),
        (
            {"gasPrice": "0x1", "maxFeePerGas": "0x1"},
            -32000,
            "both gasPrice and (maxFeePerGas or maxPriorityFeePerGas) specified",
        ),
        (
            {"maxPriorityFeePerGas": "0x2", "maxFeePerGas": "0x1"},
            -32000,
            "max priority fee per gas higher than max fee per gas: maxPriorityFeePerGas: 2, maxFeePerGas: 1",
        ),
        (
            {"input": "0x01", "data": "0x02"},
            -32602,
            BOTH_SET,
        ),
        (
            {"blobVersionedHashes": [HASH]},
            -32602,
            "invalid argument 0: blobVersionedHashes: blob transactions are not supported",
        ),
    ],
)
async def test_call_objects_that_contradict_themselves(fields: dict[str, Any], code: int, message: str) -> None:
    assert await error(dispatcher(sample_backend()), "eth_call", fields) == {"code": code, "message": message}


async def test_overrides_reach_the_engine() -> None:
    backend = sample_backend()
    overrides = {ADDRESS: {"balance": "0x5", "nonce": "0x1", "code": "0x00", "stateDiff": {HASH: HASH}}}
    await result(dispatcher(backend), "eth_call", {"to": ADDRESS}, "latest", overrides, {})
    word = Hash32(b"\xab" * 32)
    assert backend.calls[0].overrides == {
        USER: AccountOverride(balance_wei=5, nonce=1, code=b"\0", state_diff={word: word})
    }


@pytest.mark.parametrize(
    "overrides",
    [
        [],
        {"0x1": {}},
        {ADDRESS: []},
        {ADDRESS: {"balance": "5"}},
        {ADDRESS: {"state": {}, "stateDiff": {}}},
        {ADDRESS: {"movePrecompileToAddress": "0x1"}},
        {ADDRESS: {"state": {"0x1": HASH}}},
    ],
)
def test_wrong_overrides(overrides: object) -> None:
    with pytest.raises(Malformed):
        state_overrides(overrides)


def test_log_filters_in_every_form() -> None:
    topic = "0x" + TOPIC.hex()
    query = log_query(
        {"address": [ADDRESS, ADDRESS], "topics": [None, topic, [topic, HASH], [None, topic]], "fromBlock": "0x1"}
    )
    assert query == LogQuery(LogMatch((USER,), ((), (TOPIC,), (TOPIC, Hash32(b"\xab" * 32)), ())), from_block=1)
    assert log_query({"address": None, "topics": None}) == LogQuery(LogMatch())
    assert log_query({"blockHash": HASH}) == LogQuery(LogMatch(), block_hash=Hash32(b"\xab" * 32))


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"blockHash": HASH, "fromBlock": "0x1"}, "cannot specify both BlockHash and FromBlock/ToBlock"),
        ({"topics": [None] * 5}, "exceed max topics"),
        ({"topics": [[HASH] * 1_001]}, "exceed max addresses or topics per search position"),
        ({"address": [ADDRESS] * 1_001}, "exceed max addresses or topics per search position"),
        ({"topics": "0x"}, "invalid topics"),
        ({"topics": [5]}, "expected a hex string"),
        ({"address": {}}, "expected a hex string"),
        ("latest", "expected an object"),
    ],
)
def test_wrong_log_filters(value: object, message: str) -> None:
    with pytest.raises(Malformed, match=message):
        log_query(value)


@pytest.mark.parametrize(
    ("match", "expected"),
    [
        (LogMatch(), True),
        (LogMatch((CONTRACT,)), True),
        (LogMatch((OTHER, CONTRACT)), True),
        (LogMatch((OTHER,)), False),
        (LogMatch((), ((TOPIC,),)), True),
        (LogMatch((), ((), (Hash32(bytes(31) + b"\7"),))), True),
        (LogMatch((), ((ZERO_HASH, TOPIC), ())), True),
        (LogMatch((), ((ZERO_HASH,),)), False),
        (LogMatch((), ((), (), ())), False),
        (LogMatch((Address(bytes(20)),), ((TOPIC,),)), False),
    ],
)
def test_what_a_filter_matches(match: LogMatch, expected: bool) -> None:
    assert match.matches(log(7)) is expected
