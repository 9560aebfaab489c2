"""What every execution engine answers to calls that keep nothing, in the words of geth."""

import threading

import pytest

from sequencer.core.calls import AccountOverride, BlockOverride, CallRequest, CallResult
from sequencer.core.errors import DeadlineExceeded, Reason, Rejected, Temporary
from sequencer.core.transaction import AccessListEntry
from sequencer.core.types import Address, Hash32
from tests.conformance.execution import bytecode
from tests.conformance.execution.bytecode import word, words
from tests.conformance.execution.chains import CONTRACTS, ETHER, Chain
from tests.conformance.execution.users import GWEI

STRANGER = Address(b"\x5e" * 20)
CAP = 10_000_000


def run(chain: Chain, **fields: object) -> CallResult:
    return chain.engine.call(CallRequest(**fields), "pending", CAP, 30.0)  # type: ignore[arg-type]


def estimate(chain: Chain, **fields: object) -> int | CallResult:
    return chain.engine.estimate(CallRequest(**fields), "pending", CAP, 30.0)  # type: ignore[arg-type]


def test_a_call_returns_data_and_changes_nothing(chain: Chain) -> None:
    result = chain.call("LOAD", word(7))
    assert (result.output, result.succeeded) == (word(77), True)
    assert chain.call("STORE", words(1, 2)).succeeded
    assert chain.slot("STORE", 1) == 0


def test_a_call_sees_what_is_pending_and_what_was(chain: Chain) -> None:
    chain.block()
    chain.begin()
    chain.execute(chain.users[0].send(CONTRACTS["LOAD"], 3))
    assert chain.call("ENVIRONMENT").output[64:96] == word(2)
    assert chain.call("ENVIRONMENT", at=1).output[64:96] == word(1)
    assert chain.call("ENVIRONMENT", at=0).output[64:96] == word(0)
    with pytest.raises(Temporary):
        chain.call("ENVIRONMENT", at=7)


def test_a_call_follows_every_change_of_the_open_block(chain: Chain) -> None:
    chain.begin()
    for value in range(1, 4):
        chain.execute(chain.users[0].send(CONTRACTS["STORE"], 0, words(7, value)))
        override = {CONTRACTS["STORE"]: AccountOverride(code=bytecode.LOAD)}
        assert run(chain, to=CONTRACTS["STORE"], data=word(7), overrides=override).output == word(value)


def test_logs_of_a_call_are_reported(chain: Chain) -> None:
    (log,) = chain.call("LOG", words(5, 6)).logs
    assert (log.address, log.topics, log.data) == (CONTRACTS["LOG"], (Hash32(word(5)),), word(6))


def test_a_revert_carries_its_data_and_no_logs(chain: Chain) -> None:
    result = chain.call("LOG_AND_REVERT")
    assert (result.reverted, result.halt, result.output, result.logs) == (True, "", word(42), ())
    assert 21_000 < result.gas_used < 30_000


@pytest.mark.parametrize(
    ("name", "halt"),
    [
        ("INVALID", "invalid opcode: INVALID"),
        ("UNDERFLOW", "stack underflow (1 <=> 2)"),
        ("BAD_JUMP", "invalid jump destination"),
        ("OVERFLOW", "stack limit reached 1024 (1023)"),
        ("LOOP", "out of gas"),
    ],
)
def test_halts_are_in_geths_words(chain: Chain, name: str, halt: str) -> None:
    result = chain.call(name, gas_cap=100_000)
    assert (result.halt, result.reverted, result.output, result.gas_used) == (halt, False, b"", 100_000)


@pytest.mark.parametrize(
    ("init_code", "halt"),
    [
        (bytes.fromhex("6160015ff3"), "max code size exceeded"),
        (bytes.fromhex("60ef5f5360015ff3"), "invalid code: must not begin with 0xef"),
        (bytes.fromhex("6160005ff3"), "contract creation code storage out of gas"),
    ],
)
def test_a_creation_that_cannot_store_its_code(chain: Chain, init_code: bytes, halt: str) -> None:
    result = chain.engine.call(CallRequest(to=None, data=init_code), "pending", 100_000, 30.0)
    assert result.halt == halt


def test_a_write_inside_a_static_call_fails(chain: Chain) -> None:
    assert chain.call("STATIC_FORWARD", words(CONTRACTS["STORE"], 1, 2)).output == word(0)
    assert chain.call("STATIC_FORWARD", words(CONTRACTS["LOAD"], 1, 2)).output == word(1)


def test_a_creation_is_called_for_the_code_it_would_leave(chain: Chain) -> None:
    assert run(chain, to=None, data=bytecode.returning(bytecode.LOG)).output == bytecode.LOG


def test_a_call_needs_no_nonce_and_no_ether_unless_it_names_a_price(chain: Chain) -> None:
    result = chain.call("CALLER", sender=STRANGER, nonce=99)
    assert result.output == words(STRANGER, CONTRACTS["CALLER"])
    assert chain.call("ENVIRONMENT", sender=STRANGER).output[192:] == words(0, 0), "no price, no base fee"
    with pytest.raises(Rejected) as poor:
        chain.call("CALLER", sender=STRANGER, gas_price=2 * GWEI, gas_limit=50_000)
    assert poor.value.reason is Reason.INSUFFICIENT_FUNDS
    assert str(poor.value) == (
        "insufficient funds for gas * price + value: "
        "address 0x5e5E5e5e5E5e5E5E5e5E5E5e5e5E5E5E5e5E5E5e have 0 want 100000000000000"
    )
    with pytest.raises(Rejected) as unpaid:
        chain.call("CALLER", sender=STRANGER, value=1)
    assert unpaid.value.reason is Reason.INSUFFICIENT_FUNDS


def test_fees_and_gas_of_a_call_are_checked_as_of_a_transaction(chain: Chain) -> None:
    rich = chain.users[0].address
    with pytest.raises(Rejected) as cheap:
        chain.call("CALLER", sender=rich, gas_price=1)
    assert cheap.value.reason is Reason.FEE_CAP_BELOW_BASE_FEE
    with pytest.raises(Rejected) as upside_down:
        chain.call("CALLER", sender=rich, max_fee_per_gas=2 * GWEI, max_priority_fee_per_gas=3 * GWEI)
    assert upside_down.value.reason is Reason.TIP_ABOVE_FEE_CAP
    with pytest.raises(Rejected) as starved:
        chain.call("CALLER", gas_limit=20_000)
    assert str(starved.value) == "intrinsic gas too low: have 20000, want 21000"
    priced = chain.call("ENVIRONMENT", sender=rich, max_fee_per_gas=5 * GWEI, max_priority_fee_per_gas=GWEI)
    assert priced.output[224:] == word(2 * GWEI)


def test_the_gas_of_a_call_is_capped(chain: Chain) -> None:
    result = chain.call("LOOP", gas_limit=10**9, gas_cap=60_000)
    assert (result.halt, result.gas_used) == ("out of gas", 60_000)


def test_an_access_list_warms_what_it_names(chain: Chain) -> None:
    cold = chain.call("LOAD", word(7)).gas_used
    entry = AccessListEntry(CONTRACTS["LOAD"], (Hash32(word(7)),))
    assert chain.call("LOAD", word(7), access_list=(entry,)).gas_used == cold + 2400 + 1900 - 2000


def test_overrides_replace_balance_nonce_code_and_storage(chain: Chain) -> None:
    load, seven, eight = CONTRACTS["LOAD"], Hash32(word(7)), Hash32(word(8))

    def loaded(slot: Hash32, override: AccountOverride) -> int:
        return int.from_bytes(run(chain, to=load, data=slot, overrides={load: override}).output, "big")

    assert loaded(seven, AccountOverride(state_diff={eight: Hash32(word(88))})) == 77
    assert loaded(eight, AccountOverride(state_diff={eight: Hash32(word(88))})) == 88
    assert loaded(seven, AccountOverride(state={eight: Hash32(word(88))})) == 0
    assert loaded(eight, AccountOverride(state={eight: Hash32(word(88))})) == 88
    code = {STRANGER: AccountOverride(code=bytecode.CALLER, balance_wei=ETHER)}
    assert run(chain, to=STRANGER, overrides=code).output[32:] == word(STRANGER)
    assert run(chain, sender=STRANGER, to=load, value=ETHER, data=seven, overrides=code).output == word(77)
    assert loaded(seven, AccountOverride(nonce=5)) == 77
    assert chain.call("LOAD", word(8)).output == word(0), "an override lasts for its call"


@pytest.mark.parametrize("code", ["ef", "ef01", "ef0100", "ef0100aa", "ef0101" + 20 * "aa", "ef0100" + 21 * "aa"])
def test_code_that_only_begins_as_a_delegation_runs_as_code(chain: Chain, code: str) -> None:
    override = {STRANGER: AccountOverride(code=bytes.fromhex(code))}
    result = run(chain, to=STRANGER, gas_limit=50_000, overrides=override)
    assert (result.halt, result.gas_used) == ("invalid opcode: opcode 0xef not defined", 50_000)


def test_overrides_replace_the_block(chain: Chain) -> None:
    chain.block()
    block = BlockOverride(
        number=5,
        timestamp=1_700_000_099,
        gas_limit=77,
        coinbase=STRANGER,
        prev_randao=Hash32(word(6)),
        base_fee_per_gas=8,
        blob_base_fee=9,
    )
    wallet = chain.users[1].address
    result = chain.call("ENVIRONMENT", at=1, block=block, sender=wallet, max_fee_per_gas=10, gas_limit=100_000)
    expected = (STRANGER, 1_700_000_099, 5, 6, 77, chain.genesis.spec.chain_id, 8, 8)
    assert result.output[: 32 * 8] == words(*expected)
    blob_base_fee = {CONTRACTS["LOAD"]: AccountOverride(code=bytes.fromhex("4a5f5260205ff3"))}
    assert run(chain, to=CONTRACTS["LOAD"], block=block, overrides=blob_base_fee).output == word(9)
    # Without a price there is no base fee, overridden or not.
    assert chain.call("ENVIRONMENT", at=1, block=block).output[32 * 6 : 32 * 7] == word(0)
    assert isinstance(estimate(chain, to=CONTRACTS["ENVIRONMENT"], block=BlockOverride(number=9)), int)


def test_an_overridden_number_makes_no_blocks(chain: Chain) -> None:
    genesis_hash = chain.head.hash
    one = chain.block().header.hash
    chain.block()
    block = BlockOverride(number=9)
    for number, expected in ((0, genesis_hash), (1, one), (2, bytes(32)), (5, bytes(32))):
        assert chain.call("BLOCK_HASH", word(number), at=2, block=block).output == expected
    # Seen from block 1, block 1 itself and all after it are not there.
    assert chain.call("BLOCK_HASH", word(1), at=1, block=block).output == bytes(32)
    assert chain.call("BLOCK_HASH", word(0), at=1, block=block).output == genesis_hash


IDENTITY = Address(bytes(19) + b"\x04")


def test_precompiles_move_and_make_room(chain: Chain) -> None:
    assert run(chain, to=IDENTITY, data=b"abc").output == b"abc"
    moved = {IDENTITY: AccountOverride(moved_to=STRANGER)}
    assert run(chain, to=STRANGER, data=b"abc", overrides=moved).output == b"abc"
    assert run(chain, to=IDENTITY, data=b"abc", overrides=moved).output == b""
    code = {
        IDENTITY: AccountOverride(code=bytecode.LOAD, moved_to=STRANGER, state_diff={Hash32(word(1)): Hash32(word(2))})
    }
    assert run(chain, to=IDENTITY, data=word(1), overrides=code).output == word(2)
    assert run(chain, to=STRANGER, data=b"abc", overrides=code).output == b"abc"
    onto_another = {IDENTITY: AccountOverride(moved_to=Address(bytes(19) + b"\x02"))}
    assert run(chain, to=Address(bytes(19) + b"\x02"), data=b"abc", overrides=onto_another).output == b"abc"
    nested = words(STRANGER, 5, 6)
    assert chain.call("FORWARD", nested, overrides=moved).succeeded
    assert run(chain, to=IDENTITY, data=b"abc").output == b"abc"


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (
            {STRANGER: AccountOverride(moved_to=IDENTITY)},
            "0x5E5E5e5e5e5e5E5E5e5E5E5e5e5E5E5E5E5e5e5E is not a precompile",
        ),
        (
            {IDENTITY: AccountOverride(moved_to=STRANGER), STRANGER: AccountOverride(balance_wei=1)},
            "0x5E5E5e5e5e5e5E5E5e5E5E5e5e5E5E5E5E5e5e5E is already overridden",
        ),
        (
            {
                IDENTITY: AccountOverride(moved_to=STRANGER),
                Address(bytes(19) + b"\x02"): AccountOverride(moved_to=STRANGER),
            },
            "0x5E5E5e5e5e5e5E5E5e5E5E5e5e5E5E5E5E5e5e5E has already been overridden by a precompile",
        ),
    ],
)
def test_precompiles_that_cannot_move(chain: Chain, overrides: dict[Address, AccountOverride], words: str) -> None:
    with pytest.raises(Rejected, match="invalid override") as refused:
        run(chain, to=STRANGER, overrides=overrides)
    assert refused.value.reason is Reason.INVALID_OVERRIDE
    assert refused.value.detail.lower() == f"account {words}".lower()


def test_a_call_that_takes_too_long_is_stopped_and_the_next_one_works(chain: Chain) -> None:
    request = CallRequest(to=CONTRACTS["LOOP"])
    with pytest.raises(DeadlineExceeded):
        chain.engine.call(request, "pending", 10**12, 0.2)
    assert chain.call("LOAD", word(7)).output == word(77)
    with pytest.raises(DeadlineExceeded):
        chain.engine.estimate(request, "pending", 10**12, 0.2)
    assert chain.call("LOAD", word(7)).output == word(77)


def test_blocks_are_built_and_reads_answered_while_a_call_runs(chain: Chain) -> None:
    errors: list[Exception] = []

    def spin() -> None:
        try:
            chain.engine.call(CallRequest(to=CONTRACTS["LOOP"]), "pending", 10**12, 1.0)
        except DeadlineExceeded as error:
            errors.append(error)

    spinning = threading.Thread(target=spin)
    spinning.start()
    chain.block(chain.users[0].send(STRANGER, 1))
    assert chain.balance(STRANGER) == 1
    assert spinning.is_alive()
    spinning.join()
    assert len(errors) == 1


def test_reads_from_many_threads_agree(chain: Chain) -> None:
    chain.block(chain.users[0].send(STRANGER, 7))
    seen: list[int] = []

    def read() -> None:
        for _ in range(20):
            seen.append(chain.balance(STRANGER))
            seen.append(chain.call("LOAD", word(7)).gas_used)

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 160
    assert set(seen[::2]) | set(seen[1::2]) == {7, chain.call("LOAD", word(7)).gas_used}


def test_a_transfer_is_estimated_exactly(chain: Chain) -> None:
    assert estimate(chain, sender=chain.users[0].address, to=STRANGER, value=1) == 21_000


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("STORE", words(1, 2)),
        ("LOG", words(1, 2)),
        ("LOAD", word(7)),
        ("FORWARD", words(CONTRACTS["STORE"], 1, 2)),
    ],
)
def test_an_estimate_suffices_and_is_at_most_a_little_too_high(chain: Chain, name: str, data: bytes) -> None:
    sender = chain.users[0]
    gas = estimate(chain, sender=sender.address, to=CONTRACTS[name], data=data)
    assert isinstance(gas, int)
    chain.begin()
    mark = chain.engine.mark()
    assert chain.execute(sender.send(CONTRACTS[name], 0, data, gas=gas)).succeeded
    chain.engine.rewind(mark)
    sender.nonce = 0
    assert chain.call(name, data, gas_limit=gas).succeeded
    assert not chain.call(name, data, gas_limit=int(gas * 0.98)).succeeded


def test_a_creation_is_estimated(chain: Chain) -> None:
    sender, init_code = chain.users[0], bytecode.returning(bytecode.STORE)
    gas = estimate(chain, sender=sender.address, to=None, data=init_code)
    assert isinstance(gas, int)
    chain.begin()
    assert chain.execute(sender.send(data=init_code, gas=gas)).succeeded


def test_an_estimate_of_what_always_fails_is_its_failure(chain: Chain) -> None:
    reverted = estimate(chain, to=CONTRACTS["LOG_AND_REVERT"])
    assert isinstance(reverted, CallResult)
    assert (reverted.reverted, reverted.output) == (True, word(42))
    halted = estimate(chain, to=CONTRACTS["INVALID"])
    assert isinstance(halted, CallResult)
    assert halted.halt.startswith("invalid opcode")
    endless = chain.engine.estimate(CallRequest(to=CONTRACTS["LOOP"]), "pending", 200_000, 30.0)
    assert isinstance(endless, CallResult)
    assert endless.halt == "gas required exceeds allowance (200000)"


def test_an_estimate_does_not_go_beyond_what_the_sender_can_pay(chain: Chain) -> None:
    funds = {STRANGER: AccountOverride(balance_wei=30_000 * 2 * GWEI)}
    request = CallRequest(sender=STRANGER, to=CONTRACTS["STORE"], data=words(1, 2), gas_price=2 * GWEI, overrides=funds)
    result = chain.engine.estimate(request, "pending", CAP, 30.0)
    assert isinstance(result, CallResult)
    assert result.halt == "gas required exceeds allowance (30000)"
    with pytest.raises(Rejected) as poor:
        estimate(chain, sender=STRANGER, to=CONTRACTS["STORE"], value=1, gas_price=2 * GWEI)
    assert poor.value.reason is Reason.INSUFFICIENT_FUNDS


def test_deep_recursion_ends_as_the_rules_say(chain: Chain) -> None:
    """A contract that calls itself with all its gas: the 64th kept back ends it, or the depth of 1024."""
    recurse = bytes.fromhex("5f5f5f5f5f305af100")
    override = {STRANGER: AccountOverride(code=recurse)}
    request = CallRequest(to=STRANGER, overrides=override)
    result = chain.engine.call(request, "pending", 10**12, 60.0)
    assert result.succeeded
    assert chain.call("LOAD", word(7)).output == word(77)
