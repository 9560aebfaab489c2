"""What every execution engine does with blocks and transactions, whatever it is made of."""

from collections.abc import Callable

import pytest
import trie

from sequencer.core import bloom, rlp
from sequencer.core.block import EMPTY_REQUESTS_HASH, decode_header
from sequencer.core.errors import Fatal, Reason, Rejected
from sequencer.core.keccak import EMPTY_HASH, EMPTY_TRIE_ROOT, keccak256
from sequencer.core.receipt import outcome
from sequencer.core.types import UINT64_MAX, ZERO_ADDRESS, Address, Hash32
from tests.conformance.execution import bytecode
from tests.conformance.execution.bytecode import word, words
from tests.conformance.execution.chains import (
    BASE_FEE,
    BEACON_ROOTS,
    COINBASE,
    CONTRACT_WITH_KEY,
    CONTRACTS,
    ETHER,
    EXTRA_DATA,
    GAS_LIMIT,
    HISTORY,
    Chain,
)
from tests.conformance.execution.users import FEE_CAP, GWEI, TIP, User
from tests.receipts import decode_receipt

STRANGER = Address(b"\x5e" * 20)


def test_an_empty_block_has_every_field_from_its_attributes(chain: Chain) -> None:
    parent, attributes = chain.head, chain.attributes()
    header = chain.block().header
    assert (header.number, header.parent_hash, header.timestamp) == (1, parent.hash, attributes.timestamp)
    assert (header.gas_limit, header.gas_used, header.base_fee_per_gas) == (GAS_LIMIT, 0, BASE_FEE)
    assert (header.coinbase, header.prev_randao, header.extra_data) == (COINBASE, attributes.prev_randao, EXTRA_DATA)
    assert header.parent_beacon_block_root == attributes.parent_beacon_block_root
    assert header.transactions_root == header.receipts_root == header.withdrawals_root == EMPTY_TRIE_ROOT
    assert (header.requests_hash, header.logs_bloom) == (EMPTY_REQUESTS_HASH, bloom.EMPTY)
    assert (header.blob_gas_used, header.excess_blob_gas, header.difficulty) == (0, 0, 0)
    assert decode_header(header.encoded) == header


def test_a_transfer_moves_value_and_pays_tip_and_base_fee(chain: Chain) -> None:
    sender, vault = chain.users[0], chain.genesis.spec.fee_vault
    block = chain.block(sender.send(STRANGER, 5, gas=21_000))
    fee = 21_000 * (BASE_FEE + TIP)
    assert chain.balance(STRANGER) == 5
    assert chain.balance(sender.address) == 1000 * ETHER - 5 - fee
    assert chain.balance(COINBASE) == 21_000 * TIP
    assert chain.balance(vault) == 21_000 * BASE_FEE
    assert block.header.gas_used == 21_000
    (done,) = block.outcomes
    assert done.succeeded
    assert (done.gas_used, done.cumulative_gas_used, done.contract_address, done.logs) == (21_000, 21_000, None, ())
    assert chain.engine.accounts([sender.address], "pending")[0].nonce == 1


def test_the_fee_vault_gets_the_base_fees_when_the_block_is_sealed(chain: Chain) -> None:
    chain.begin()
    chain.execute(chain.users[0].send(STRANGER, 1))
    chain.execute(chain.users[1].send(STRANGER, 1))
    vault = chain.genesis.spec.fee_vault
    assert chain.balance(vault) == 0
    chain.seal()
    assert chain.balance(vault) == 42_000 * BASE_FEE


def test_no_ether_is_made_or_lost(chain: Chain) -> None:
    everyone = [user.address for user in chain.users] + [COINBASE, chain.genesis.spec.fee_vault, STRANGER]
    everyone += CONTRACTS.values()
    before = sum(view.balance_wei for view in chain.engine.accounts(everyone, "pending"))
    a, b, c, d = chain.users[:4]
    store = words(1, 2)
    chain.block(a.send(STRANGER, 3), b.send(CONTRACTS["STORE"], 9, store), c.send(CONTRACTS["LOG_AND_REVERT"], 4))
    chain.block(d.send(CONTRACTS["DESTRUCT"], 10 * ETHER), a.send(CONTRACTS["STORE"], 0, words(1, 0)))
    assert sum(view.balance_wei for view in chain.engine.accounts(everyone, "pending")) == before


def test_roots_and_bloom_cover_transactions_and_receipts(chain: Chain) -> None:
    raws = [user.send(CONTRACTS["LOG"], 0, words(n, n + 1), kind=n % 3) for n, user in enumerate(chain.users)]
    block = chain.block(*raws)

    def root(items: list[bytes]) -> bytes:
        oracle = trie.HexaryTrie({})
        for index, item in enumerate(items):
            oracle[rlp.encode_bytes(rlp.uint(index))] = item
        return bytes(oracle.root_hash)

    assert [transaction.raw for transaction in block.transactions] == raws
    assert block.header.transactions_root == root(raws)
    assert block.header.receipts_root == root([done.receipt for done in block.outcomes])
    assert block.header.logs_bloom == bloom.union(done.logs_bloom for done in block.outcomes)
    assert block.header.gas_used == block.outcomes[-1].cumulative_gas_used == sum(d.gas_used for d in block.outcomes)


def test_receipts_are_in_consensus_form(chain: Chain) -> None:
    chain.begin()
    first = chain.execute(chain.users[0].send(STRANGER, 1, kind=0))
    second = chain.execute(chain.users[1].send(CONTRACTS["LOG"], 0, words(7, 8)))
    (log,) = second.logs
    assert (log.address, log.topics, log.data) == (CONTRACTS["LOG"], (Hash32(word(7)),), word(8))
    assert second.cumulative_gas_used == first.gas_used + second.gas_used
    assert first.receipt[0] >= 0xC0
    assert second.receipt[0] == 2
    assert decode_receipt(second.receipt) == (True, second.cumulative_gas_used, second.logs_bloom, second.logs)
    assert second.logs_bloom == bloom.bloom_of([CONTRACTS["LOG"], *log.topics])
    assert second.outcome_hash == keccak256(second.receipt)
    same = outcome(2, True, second.gas_used, second.cumulative_gas_used, None, second.logs)
    assert (same.receipt, same.logs_bloom) == (second.receipt, second.logs_bloom)


@pytest.mark.parametrize("kind", [0, 1, 2])
def test_each_type_of_transaction_executes(chain: Chain, kind: int) -> None:
    access = [(CONTRACTS["STORE"], [word(3)])] if kind else []
    raw = chain.users[0].send(CONTRACTS["STORE"], 0, words(3, 4), kind=kind, access_list=access)
    block = chain.block(raw)
    assert block.outcomes[0].succeeded
    assert chain.slot("STORE", 3) == 4
    price = FEE_CAP if kind < 2 else BASE_FEE + TIP
    assert chain.balance(COINBASE) == block.header.gas_used * (price - BASE_FEE)


def test_an_unprotected_legacy_transaction_is_good_for_any_chain(chain: Chain) -> None:
    chain.begin()
    assert chain.execute(chain.users[0].send(STRANGER, 1, kind=0, chain_id=None)).succeeded


def test_a_blob_transaction_has_no_place_in_a_rollup_block(chain: Chain) -> None:
    chain.begin()
    refusal = chain.refused(chain.users[0].send(STRANGER, 1, kind=3))
    assert refusal.reason is Reason.TYPE_NOT_SUPPORTED


def test_a_set_code_transaction_delegates_and_takes_it_back(chain: Chain) -> None:
    sponsor, owner = chain.users[:2]
    chain.begin()
    chain.execute(sponsor.send(STRANGER, kind=4, authorizations=[owner.authorize(CONTRACTS["LOG"], 0)]))
    (view,) = chain.engine.accounts([owner.address], "pending")
    assert (view.delegated, view.nonce) == (True, 1)
    assert chain.engine.code(owner.address, "pending") == b"\xef\x01\x00" + CONTRACTS["LOG"]
    done = chain.execute(sponsor.send(owner.address, 0, words(1, 2)))
    assert [log.address for log in done.logs] == [owner.address]
    owner.nonce = 1
    assert chain.execute(owner.send(STRANGER, 1)).succeeded
    clear = [owner.authorize(ZERO_ADDRESS, 2)]
    chain.execute(sponsor.send(STRANGER, kind=4, authorizations=clear))
    (view,) = chain.engine.accounts([owner.address], "pending")
    assert (view.delegated, view.nonce, view.code_hash) == (False, 3, EMPTY_HASH)


def test_an_authorization_that_does_not_hold_changes_nothing(chain: Chain) -> None:
    sponsor, owner = chain.users[:2]
    wrong = [owner.authorize(CONTRACTS["LOG"], 5), owner.authorize(CONTRACTS["LOG"], 0, chain_id=1)]
    chain.begin()
    assert chain.execute(sponsor.send(STRANGER, kind=4, authorizations=wrong)).succeeded
    (view,) = chain.engine.accounts([owner.address], "pending")
    assert (view.delegated, view.nonce) == (False, 0)


def test_a_creation_deploys_code_at_the_address_in_its_outcome(chain: Chain) -> None:
    creator = chain.users[0]
    chain.begin()
    done = chain.execute(creator.send(data=bytecode.returning(bytecode.STORE)))
    assert done.contract_address == creator.created(0)
    assert chain.engine.code(creator.created(0), "pending") == bytecode.STORE
    assert chain.engine.accounts([creator.created(0)], "pending")[0].nonce == 1


def test_a_creation_that_fails_leaves_no_contract_but_costs_gas(chain: Chain) -> None:
    creator = chain.users[0]
    chain.begin()
    done = chain.execute(creator.send(data=bytecode.INVALID, gas=100_000))
    assert (done.succeeded, done.gas_used) == (False, 100_000)
    view = chain.engine.accounts([creator.created(0)], "pending")[0]
    assert (view.nonce, view.balance_wei, view.code_hash) == (0, 0, EMPTY_HASH)


def test_a_reverted_transaction_keeps_nonce_and_fee_and_nothing_else(chain: Chain) -> None:
    sender = chain.users[0]
    chain.begin()
    done = chain.execute(sender.send(CONTRACTS["LOG_AND_REVERT"], 7))
    assert (done.succeeded, done.logs, done.logs_bloom) == (False, (), bloom.EMPTY)
    assert chain.balance(CONTRACTS["LOG_AND_REVERT"]) == 0
    assert chain.balance(sender.address) == 1000 * ETHER - done.gas_used * (BASE_FEE + TIP)
    assert chain.engine.accounts([sender.address], "pending")[0].nonce == 1


def _poor(user: User) -> bytes:
    return user.send(STRANGER, 2000 * ETHER, nonce=0)


REFUSALS: dict[str, tuple[Callable[[User], bytes], int, Reason, str]] = {
    "nonce too low": (lambda u: u.send(STRANGER, nonce=0), 1, Reason.NONCE_TOO_LOW, ", tx: 0 state: 1"),
    "nonce too high": (lambda u: u.send(STRANGER, nonce=5), 0, Reason.NONCE_TOO_HIGH, ", tx: 5 state: 0"),
    "no funds": (_poor, 0, Reason.INSUFFICIENT_FUNDS, " have 1000000000000000000000 want 2000020000000000000000"),
    "intrinsic gas": (lambda u: u.send(STRANGER, gas=20_999), 0, Reason.INTRINSIC_GAS, ": have 20999, want 21000"),
    "floor gas": (
        lambda u: u.send(STRANGER, data=b"\1" * 100, gas=23_000),
        0,
        Reason.FLOOR_DATA_GAS,
        ": have 23000, want 25000",
    ),
    "fee cap": (
        lambda u: u.send(STRANGER, cap=GWEI - 1, tip=0),
        0,
        Reason.FEE_CAP_BELOW_BASE_FEE,
        ", maxFeePerGas: 999999999, baseFee: 1000000000",
    ),
    "tip": (
        lambda u: u.send(STRANGER, cap=GWEI, tip=GWEI + 1),
        0,
        Reason.TIP_ABOVE_FEE_CAP,
        ", maxPriorityFeePerGas: 1000000001, maxFeePerGas: 1000000000",
    ),
    "init code": (
        lambda u: u.send(data=bytes(49_153), gas=20_000_000),
        0,
        Reason.INIT_CODE_TOO_LARGE,
        ": code size 49153 limit 49152",
    ),
    "block gas": (lambda u: u.send(STRANGER, gas=GAS_LIMIT + 1), 0, Reason.GAS_LIMIT_REACHED, "gas limit reached"),
    "other chain": (lambda u: u.send(STRANGER, chain_id=1), 0, Reason.WRONG_CHAIN, "invalid chain id for signer"),
    "no authorization": (lambda u: u.send(STRANGER, kind=4), 0, Reason.EMPTY_AUTHORIZATIONS, "empty auth list"),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_a_refused_transaction_gets_its_reason_and_leaves_no_trace(chain: Chain, name: str) -> None:
    make, sent_before, reason, words_of_geth = REFUSALS[name]
    sender = chain.users[0]
    first = [sender.send(STRANGER, 1) for _ in range(sent_before)]
    expected = chain.block(*first)
    chain.engine.unwind(0)
    chain.head = chain.engine.open(chain.genesis)
    sender.nonce = 0
    chain.begin()
    chain.apply(*[sender.send(STRANGER, 1) for _ in range(sent_before)])
    refusal = chain.refused(make(sender))
    assert refusal.reason is reason
    assert words_of_geth in str(refusal)
    assert chain.seal().header == expected.header


def test_a_contract_cannot_send_even_with_a_key(chain: Chain) -> None:
    """EIP-3607."""
    chain.begin()
    refusal = chain.refused(User(CONTRACT_WITH_KEY, nonce=1).send(STRANGER, 1))
    assert refusal.reason is Reason.SENDER_NOT_EOA


def test_a_transaction_that_does_not_fit_is_refused_and_a_smaller_one_follows(chain: Chain) -> None:
    a, b, c = chain.users[:3]
    chain.begin(gas_limit=100_000)
    answers = chain.apply(
        a.send(STRANGER, 1, gas=21_000), b.send(STRANGER, 1, gas=79_001), c.send(STRANGER, 1, gas=79_000)
    )
    assert isinstance(answers[1], Rejected)
    assert answers[1].reason is Reason.GAS_LIMIT_REACHED
    assert [isinstance(answer, Rejected) for answer in answers] == [False, True, False]
    assert len(chain.seal().transactions) == 2


def test_a_refused_transaction_in_the_middle_does_not_disturb_its_neighbours(chain: Chain) -> None:
    a, b = chain.users[:2]
    good = [a.send(STRANGER, 1), b.send(CONTRACTS["STORE"], 0, words(1, 2)), a.send(STRANGER, 2)]
    expected = chain.block(*good).header
    chain.engine.unwind(0)
    chain.head = chain.engine.open(chain.genesis)
    chain.begin()
    chain.apply(good[0], a.send(STRANGER, 1, nonce=9), good[1], b.send(STRANGER, 1, nonce=0), good[2])
    assert chain.seal().header == expected


def test_batches_do_not_change_the_block(chain: Chain) -> None:
    raws = [user.send(CONTRACTS["STORE"], 0, words(n, n + 1)) for n, user in enumerate(chain.users)]
    expected = chain.block(*raws).header
    chain.engine.unwind(0)
    chain.head = chain.engine.open(chain.genesis)
    chain.begin()
    for raw in raws:
        chain.execute(raw)
    chain.apply()
    assert chain.seal().header == expected


def test_system_contracts_learn_of_parent_and_origin_before_the_first_transaction(chain: Chain) -> None:
    parent, attributes = chain.head, chain.attributes()
    chain.begin()
    slot = attributes.timestamp % 8191
    time, root = chain.engine.storage(BEACON_ROOTS, [Hash32(word(slot)), Hash32(word(slot + 8191))], "pending")
    assert (int.from_bytes(time, "big"), root) == (attributes.timestamp, attributes.parent_beacon_block_root)
    assert chain.engine.storage(HISTORY, [Hash32(word(0))], "pending") == [parent.hash]


def test_block_hashes_reach_256_blocks_back(chain: Chain) -> None:
    hashes = {0: chain.head.hash}
    for number in range(1, 258):
        hashes[number] = chain.block().header.hash
        if number == 100:
            chain.engine.commit(100)
    chain.begin()
    for number in (1, 2, 99, 100, 101, 257):
        answer = chain.call("BLOCK_HASH", word(number)).output
        expected = hashes[number] if number >= 258 - 256 else bytes(32)
        assert answer == expected, number
    assert chain.call("BLOCK_HASH", word(258)).output == bytes(32)
    assert chain.call("BLOCK_HASH", word(99), at=100).output == hashes[99]


def test_code_sees_the_block_around_it(chain: Chain) -> None:
    attributes = chain.attributes()
    chain.begin()
    output = chain.call("ENVIRONMENT", gas_price=2 * GWEI, sender=chain.users[0].address).output
    expected: list[int | bytes] = [
        attributes.coinbase,
        attributes.timestamp,
        attributes.number,
        attributes.prev_randao,
        GAS_LIMIT,
        chain.genesis.spec.chain_id,
        BASE_FEE,
        2 * GWEI,
    ]
    assert output == words(*expected)


def test_a_block_must_follow_the_newest_one(chain: Chain) -> None:
    with pytest.raises(Fatal, match="does not follow"):
        chain.begin(parent_hash=Hash32(bytes(32)))
    with pytest.raises(Fatal, match="does not follow"):
        chain.begin(number=2)


def test_only_one_block_is_open_at_a_time(chain: Chain) -> None:
    with pytest.raises(Fatal):
        chain.engine.seal()
    chain.begin()
    with pytest.raises(Fatal):
        chain.begin()


def test_the_highest_nonce_ends_an_account(chain: Chain) -> None:
    chain.begin()
    refusal = chain.refused(chain.users[0].send(STRANGER, nonce=UINT64_MAX))
    assert refusal.reason is Reason.NONCE_TOO_HIGH


def test_a_contract_that_was_made_and_destroyed_at_once_leaves_nothing(chain: Chain) -> None:
    creator = chain.users[0]
    chain.begin()
    chain.execute(creator.send(value=5, data=bytecode.DESTRUCT))
    view = chain.engine.accounts([creator.created(0)], "pending")[0]
    assert (view.nonce, view.balance_wei, view.code_hash) == (0, 0, EMPTY_HASH)


def test_a_contract_of_an_earlier_transaction_survives_selfdestruct(chain: Chain) -> None:
    chain.begin()
    chain.execute(chain.users[0].send(CONTRACTS["DESTRUCT"], 5))
    assert chain.engine.code(CONTRACTS["DESTRUCT"], "pending") == bytecode.DESTRUCT
    assert chain.balance(CONTRACTS["DESTRUCT"]) == 0
