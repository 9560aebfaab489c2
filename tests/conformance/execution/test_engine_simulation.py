"""Simulated blocks, on every execution engine, held against blocks that the same engine really builds."""

from dataclasses import replace
from typing import Any

import pytest

from sequencer.core.block import Block
from sequencer.core.calls import AccountOverride, BlockOverride, CallRequest
from sequencer.core.chain_spec import FeeRule
from sequencer.core.errors import DeadlineExceeded, Reason, Rejected
from sequencer.core.ports import StateAt
from sequencer.core.simulation import BlockCalls, SimulatedBlock, Simulation
from sequencer.core.transaction import Transaction
from sequencer.core.types import ZERO_HASH, Address, Hash32
from tests.conformance.execution import bytecode
from tests.conformance.execution.bytecode import returning, word, words
from tests.conformance.execution.chains import BASE_FEE, CONTRACTS, ETHER, Chain, genesis
from tests.conformance.execution.users import FEE_CAP, User

STRANGER = Address(b"\x5e" * 20)
TRANSFERS = Address(b"\xee" * 20)
GAS = 50_000_000


@pytest.fixture
def grown(chain: Chain) -> Chain:
    """Block 1 is committed, block 2 sealed, and nothing open."""
    for number in (1, 2):
        user = chain.users[0]
        chain.block(*(user.send(CONTRACTS["STORE"], 0, words(slot, 10 * number + slot)) for slot in range(4)))
        if number == 1:
            chain.engine.commit(1)
    return chain


def simulate(
    chain: Chain, *blocks: BlockCalls, at: StateAt = "pending", gas: int = GAS, deadline_s: float = 30.0, **fields: Any
) -> list[SimulatedBlock]:
    simulation = Simulation(blocks=blocks, **fields)
    engine: Any = chain.engine
    found: list[SimulatedBlock] = engine.simulate(simulation, at, gas, deadline_s)
    return found


def calling(*requests: CallRequest, block: BlockOverride | None = None, **accounts: Any) -> BlockCalls:
    return BlockCalls(block or BlockOverride(), accounts.get("accounts", {}), requests)


def as_simulated(chain: Chain, raws: list[bytes]) -> tuple[BlockCalls, list[Transaction]]:
    """The next block of the chain as a simulated one, with calls instead of signed transactions."""
    attributes, transactions = chain.attributes(), chain.maker.transactions(raws)
    block = BlockOverride(
        number=attributes.number,
        timestamp=attributes.timestamp,
        gas_limit=attributes.gas_limit,
        coinbase=attributes.coinbase,
        prev_randao=attributes.prev_randao,
        base_fee_per_gas=attributes.base_fee_per_gas,
        parent_beacon_block_root=attributes.parent_beacon_block_root,
    )
    return BlockCalls(block, {}, tuple(map(as_call, transactions))), transactions


def as_call(transaction: Transaction) -> CallRequest:
    legacy = transaction.type == 0
    return CallRequest(
        sender=transaction.sender,
        to=transaction.to,
        data=transaction.data,
        value=transaction.value,
        gas_limit=transaction.gas_limit,
        gas_price=transaction.max_fee_per_gas if legacy else None,
        max_fee_per_gas=None if legacy else transaction.max_fee_per_gas,
        max_priority_fee_per_gas=None if legacy else transaction.max_priority_fee_per_gas,
        nonce=transaction.nonce,
        authorizations=transaction.authorizations,
    )


def many_kinds(chain: Chain) -> list[bytes]:
    one, two = chain.users[1], chain.users[2]
    return [
        one.send(CONTRACTS["STORE"], 0, words(1, 0)),
        one.send(STRANGER, ETHER),
        one.send(b"", 5, returning(bytecode.LOAD)),
        two.send(CONTRACTS["LOG"], 0, words(7, 8)),
        two.send(CONTRACTS["LOG_AND_REVERT"]),
        two.send(STRANGER, 1, kind=0),
        two.send(STRANGER, 0, kind=4, authorizations=[chain.users[3].authorize(CONTRACTS["LOAD"], 0)]),
    ]


def assert_same(simulated: SimulatedBlock, real: Block) -> None:
    header = simulated.header
    assert header.state_root == real.header.state_root
    assert header.receipts_root == real.header.receipts_root
    assert header.logs_bloom == real.header.logs_bloom
    # Nobody signed, and the ordering policy has nothing to do with it.
    same = {"extra_data": real.header.extra_data, "transactions_root": real.header.transactions_root}
    assert replace(header, **same) == real.header
    assert [call.result.gas_used for call in simulated.calls] == [outcome.gas_used for outcome in real.outcomes]
    assert [call.result.logs for call in simulated.calls] == [outcome.logs for outcome in real.outcomes]


@pytest.mark.parametrize("at", ["pending", 2])
def test_a_simulated_block_is_the_block_that_would_be(grown: Chain, at: StateAt) -> None:
    raws = many_kinds(grown)
    block, _ = as_simulated(grown, raws)
    (simulated,) = simulate(grown, block, at=at, validation=True)
    assert_same(simulated, grown.block(*raws))


def test_a_committed_and_an_older_block_are_stood_upon(grown: Chain) -> None:
    raws = many_kinds(grown)
    block, _ = as_simulated(grown, raws)
    real = grown.block(*raws)
    grown.block(grown.users[4].send(CONTRACTS["STORE"], 0, words(1, 9)))
    grown.engine.commit(4)
    (simulated,) = simulate(grown, block, at=2, validation=True)
    assert_same(simulated, real)


def test_what_is_pending_is_below_and_its_block_is_replaced(grown: Chain) -> None:
    raws = many_kinds(grown)
    block, _ = as_simulated(grown, raws[2:])
    grown.begin()
    for raw in raws[:2]:
        grown.execute(raw)
    block = replace(block, calls=tuple(replace(call, nonce=None) for call in block.calls[:3]))
    (simulated,) = simulate(grown, block)
    assert (simulated.header.number, simulated.header.parent_hash) == (3, grown.head.hash)
    assert simulated.calls[0].transaction.nonce == 2
    for raw in raws[2:5]:
        grown.execute(raw)
    sealed = grown.seal()
    # The fees of what was pending are credited when the real block is sealed.
    assert simulated.header.state_root != sealed.header.state_root
    assert [call.result.gas_used for call in simulated.calls] == [done.gas_used for done in sealed.outcomes[2:]]


def test_two_simulated_blocks_are_two_real_ones(grown: Chain) -> None:
    first, second = many_kinds(grown)[:4], many_kinds(grown)[:2]
    one, _ = as_simulated(grown, first)
    real_one = grown.block(*first)
    two, _ = as_simulated(grown, second)
    real_two = grown.block(*second)
    simulated_one, simulated_two = simulate(grown, one, two, at=2, validation=True)
    assert_same(simulated_one, real_one)
    assert simulated_two.header.parent_hash == simulated_one.header.hash
    # The parent's hash stands in the history contract, and it differs.
    assert simulated_two.header.receipts_root == real_two.header.receipts_root
    assert [call.result.gas_used for call in simulated_two.calls] == [done.gas_used for done in real_two.outcomes]


def test_gaps_are_filled_and_hashes_are_chained(grown: Chain) -> None:
    ask = [CallRequest(to=CONTRACTS["BLOCK_HASH"], data=word(number)) for number in range(8)]
    blocks = simulate(grown, BlockCalls(BlockOverride(number=5)), calling(*ask))
    assert [block.header.number for block in blocks] == [3, 4, 5, 6]
    assert [block.header.timestamp - grown.head.timestamp for block in blocks] == [12, 24, 36, 48]
    assert [block.header.parent_hash for block in blocks] == [grown.head.hash] + [b.header.hash for b in blocks[:-1]]
    hashes = [Hash32(call.result.output) for call in blocks[-1].calls]
    assert hashes[2:] == [grown.head.hash, *(block.header.hash for block in blocks[:3]), ZERO_HASH, ZERO_HASH]


def test_hashes_of_real_blocks_above_are_not_seen(grown: Chain) -> None:
    real = grown.block().header
    (block,) = simulate(grown, calling(CallRequest(to=CONTRACTS["BLOCK_HASH"], data=word(1))), at=1)
    assert block.calls[0].result.output == block.header.parent_hash
    blocks = simulate(
        grown, BlockCalls(), BlockCalls(), calling(CallRequest(to=CONTRACTS["BLOCK_HASH"], data=word(3))), at=1
    )
    assert blocks[2].calls[0].result.output == blocks[1].header.hash != real.hash


def test_overrides_stay_and_are_in_the_root(grown: Chain) -> None:
    """Storage that is replaced whole is that of an account which never had any other."""
    slots = {Hash32(word(1)): Hash32(word(0x77))}
    load = {"to": CONTRACTS["STORE"]}
    replaced = {CONTRACTS["STORE"]: AccountOverride(state=slots, code=bytecode.LOAD)}
    one, two = simulate(
        grown,
        calling(*(CallRequest(data=word(slot), **load) for slot in (1, 2)), accounts=replaced),  # type: ignore[arg-type]
        calling(CallRequest(data=word(1), **load)),  # type: ignore[arg-type]
    )
    assert [call.result.output for call in one.calls + two.calls] == [word(0x77), word(0), word(0x77)]
    zeroed = {Hash32(word(slot)): ZERO_HASH for slot in range(4)}
    slot_by_slot = {CONTRACTS["STORE"]: AccountOverride(state_diff=zeroed | slots, code=bytecode.LOAD)}
    other, _ = simulate(grown, calling(accounts=slot_by_slot), BlockCalls())
    again, _ = simulate(grown, calling(accounts=replaced), BlockCalls())
    assert other.header.state_root == again.header.state_root
    assert simulate(grown, BlockCalls())[0].header.state_root != again.header.state_root


def test_an_account_that_is_overridden_away_leaves_the_state(grown: Chain) -> None:
    one = simulate(grown, calling(accounts={STRANGER: AccountOverride(balance_wei=5)}), BlockCalls())
    nothing = {STRANGER: AccountOverride(balance_wei=0)}
    two = simulate(grown, calling(accounts={STRANGER: AccountOverride(balance_wei=5)}), calling(accounts=nothing))
    plain = simulate(grown, BlockCalls(), calling(accounts=nothing))
    assert one[1].header.state_root != two[1].header.state_root
    # But for the hash of the block before in the history contract it would be as if nothing had been.
    assert two[0].header.state_root == one[0].header.state_root != plain[0].header.state_root


def test_moved_precompiles_are_back_in_the_next_block(grown: Chain) -> None:
    identity = Address(bytes(19) + b"\x04")
    move = {identity: AccountOverride(moved_to=STRANGER)}
    ask = (CallRequest(to=identity, data=b"x"), CallRequest(to=STRANGER, data=b"x"))
    one, two = simulate(grown, calling(*ask, accounts=move), calling(*ask))
    assert [call.result.output for call in one.calls] == [b"", b"x"]
    assert [call.result.output for call in two.calls] == [b"x", b""]


def test_transfers_are_told_in_order_and_only_if_they_happened(grown: Chain) -> None:
    user = grown.users[1].address
    forward = {CONTRACTS["FORWARD"]: AccountOverride(code=SEND_AND_SWALLOW, balance_wei=100)}
    calls = (
        CallRequest(sender=user, to=STRANGER, value=7),
        CallRequest(sender=user, to=CONTRACTS["LOG"], data=words(1, 2), value=3),
        CallRequest(sender=user, to=CONTRACTS["LOG_AND_REVERT"], value=4),
        CallRequest(sender=user, to=CONTRACTS["FORWARD"], data=words(CONTRACTS["LOG_AND_REVERT"], STRANGER)),
        CallRequest(sender=user, to=None, data=returning(b""), value=9),
    )
    (traced,) = simulate(grown, calling(*calls, accounts=forward), trace_transfers=True)
    (plain,) = simulate(grown, calling(*calls, accounts=forward))
    told = [
        [(log.address == TRANSFERS, int.from_bytes(log.data, "big")) for log in call.result.logs]
        for call in traced.calls
    ]
    # The inner call that reverts takes its transfer of 1 with it; the one after it sends 2.
    assert told == [[(True, 7)], [(True, 3), (False, 2)], [], [(True, 2)], [(True, 9)]]
    assert traced.calls[0].result.logs[0].topics[1:] == (Hash32(word(user)), Hash32(word(STRANGER)))
    assert [len(call.result.logs) for call in plain.calls] == [0, 1, 0, 0, 0]
    # A receipt knows nothing of transfers.
    assert traced.header == plain.header
    numbers = [index for call in traced.calls for index in call.log_indexes]
    assert numbers == sorted(set(numbers))
    assert len(numbers) == 5


SEND_AND_SWALLOW = bytes.fromhex("5f5f5f5f60015f355af1505f5f5f5f60026020355af100")
"""call address word 0 with 1 wei, whatever comes of it, then address word 1 with 2 wei"""


@pytest.mark.parametrize(
    ("request_", "fields", "reason"),
    [
        ({"nonce": 7}, {"validation": True, "max_fee": FEE_CAP}, Reason.NONCE_TOO_HIGH),
        ({}, {"validation": True}, Reason.FEE_CAP_BELOW_BASE_FEE),
        ({"gas_limit": 100}, {}, Reason.INTRINSIC_GAS),
        ({"value": 10**30}, {}, Reason.INSUFFICIENT_FUNDS),
        ({"gas_limit": 40_000_000}, {}, Reason.BLOCK_GAS_LIMIT),
        ({"max_fee_per_gas": 1, "max_priority_fee_per_gas": 2}, {}, Reason.TIP_ABOVE_FEE_CAP),
        ({"to": None, "data": bytes(50_000)}, {}, Reason.INIT_CODE_TOO_LARGE),
    ],
)
def test_calls_that_cannot_be(grown: Chain, request_: dict[str, Any], fields: dict[str, Any], reason: Reason) -> None:
    cap = fields.pop("max_fee", None)
    request = CallRequest(**({"sender": User(1).address, "to": STRANGER, "max_fee_per_gas": cap} | request_))
    with pytest.raises(Rejected) as refused:
        simulate(grown, calling(request), fees=genesis().spec.fees, **fields)
    assert refused.value.reason is reason


@pytest.mark.parametrize(
    ("blocks", "reason", "words_"),
    [
        ([BlockOverride(number=2)], Reason.BLOCK_NUMBER_ORDER, "2 <= 2"),
        ([BlockOverride(number=4), BlockOverride(number=4)], Reason.BLOCK_NUMBER_ORDER, "4 <= 4"),
        ([BlockOverride(timestamp=1_700_000_002)], Reason.BLOCK_TIME_ORDER, "1700000002 <= 1700000002"),
        ([BlockOverride(number=259)], Reason.TOO_MANY_BLOCKS, ""),
        ([BlockOverride(number=2**64 - 1)], Reason.TOO_MANY_BLOCKS, ""),
    ],
)
def test_blocks_that_cannot_be(grown: Chain, blocks: list[BlockOverride], reason: Reason, words_: str) -> None:
    with pytest.raises(Rejected) as refused:
        simulate(grown, *(BlockCalls(block) for block in blocks))
    assert (refused.value.reason, refused.value.detail) == (reason, words_)


def test_the_base_fee_follows_the_chains_rule_only_with_validation(grown: Chain) -> None:
    rule = FeeRule(minimum_base_fee_wei=BASE_FEE // 2)
    free = simulate(grown, *[BlockCalls()] * 3)
    assert [block.header.base_fee_per_gas for block in free] == [0, 0, 0]
    blocks = simulate(grown, *[BlockCalls()] * 8, validation=True, fees=rule)
    expected, parent = [], grown.head
    for block in blocks:
        expected.append(rule.next_base_fee(parent.base_fee_per_gas, parent.gas_used, parent.gas_limit))
        parent = block.header
    assert [block.header.base_fee_per_gas for block in blocks] == expected
    assert expected[-1] == BASE_FEE // 2


def test_gas_of_all_calls_together_is_capped(grown: Chain) -> None:
    loop = CallRequest(sender=User(1).address, to=CONTRACTS["LOOP"])
    one, two = simulate(
        grown,
        calling(replace(loop, gas_limit=21_000 * 8)),
        calling(CallRequest(sender=User(1).address, to=STRANGER)),
        gas=21_000 * 9,
    )
    assert one.calls[0].result.halt == "out of gas"
    assert two.calls[0].transaction.gas_limit == 21_000
    with pytest.raises(Rejected, match="intrinsic gas too low"):
        simulate(grown, calling(loop, loop), gas=21_000 * 9)


def test_what_takes_too_long_is_stopped(grown: Chain) -> None:
    loop = CallRequest(sender=User(1).address, to=CONTRACTS["LOOP"])
    gas_limit = BlockOverride(gas_limit=10**12)
    with pytest.raises(DeadlineExceeded):
        simulate(grown, calling(loop, block=gas_limit), gas=10**12, deadline_s=0.1)
    with pytest.raises(DeadlineExceeded):
        simulate(grown, calling(*[replace(loop, gas_limit=10**8)] * 5_000, block=gas_limit), gas=10**12, deadline_s=0.2)
    assert simulate(grown, BlockCalls())


def test_a_state_root_is_left_out_where_it_is_not_wanted(grown: Chain) -> None:
    (block,) = simulate(grown, BlockCalls(), at=0, state_roots=False)
    assert block.header.state_root == ZERO_HASH
