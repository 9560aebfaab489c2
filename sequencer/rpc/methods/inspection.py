"""``eth_getProof``, ``eth_createAccessList`` and ``debug_trace*``."""

from collections.abc import Sequence
from typing import Final

import orjson

from sequencer.core.block import Block
from sequencer.core.calls import AccountOverride, BlockOverride
from sequencer.core.encoding import data, parse_address, parse_hash, quantity
from sequencer.core.errors import Malformed
from sequencer.core.revert import revert_reason
from sequencer.core.types import Address, Hash32
from sequencer.rpc.block_id import BlockId, ByHash, Tag, block_id, block_number_or_tag, find, sealed_number
from sequencer.rpc.call_object import CallObject, call_block_override, call_object, state_overrides, with_overrides
from sequencer.rpc.chain import ServedChain
from sequencer.rpc.errors import Errors, RpcError
from sequencer.rpc.methods.eth_state import SLOTS_LIMIT, kept_history, read_at
from sequencer.rpc.methods.method import Kind, Method
from sequencer.rpc.params import Parameter, boolean, list_of, loose_integer, members, optional, storage_slot
from sequencer.rpc.render.json import Json
from sequencer.rpc.render.transaction import access_list

TRACERS: Final = ("callTracer", "prestateTracer")


class TraceOptions:
    """What to record, in geth's words, and the overrides that ``debug_traceCall`` takes beside it."""

    __slots__ = ("block", "members", "overrides")

    def __init__(
        self,
        options: dict[str, object],
        overrides: dict[Address, AccountOverride] | None = None,
        block: BlockOverride | None = None,
    ) -> None:
        self.members = options
        self.overrides = overrides
        self.block = block

    def check(self) -> None:
        """Raises ``RpcError`` for a tracer that is not there."""
        tracer = self.members.get("tracer")
        if tracer is not None and tracer not in TRACERS:
            raise RpcError(Errors.SERVER, f"tracer not found: there are {', '.join(TRACERS)}")


class SlotKey:
    """A storage key, and how the caller wrote it: the answer repeats full words and shortens the rest."""

    __slots__ = ("shown", "slot")

    def __init__(self, value: object) -> None:
        self.slot = storage_slot(value)
        full = isinstance(value, str) and len(value) == 66
        self.shown = data(self.slot) if full else quantity(int.from_bytes(self.slot, "big"))


async def proof(chain: ServedChain, address: Address, keys: Sequence[SlotKey], block: BlockId) -> Json:
    """The account and its slots with their Merkle proofs (EIP-1186), against the state root of a sealed block."""
    backend = chain.backend
    at = find(backend, block)
    if at == "pending":
        raise RpcError(Errors.SERVER, "proofs are of sealed blocks: the open block has no state root yet")
    if at is None:
        raise RpcError(Errors.SERVER, "header for hash not found" if isinstance(block, ByHash) else "header not found")
    if backend.heads.unsafe.number - at > chain.config.proof_range_limit:
        raise RpcError(Errors.PRUNED, f"proofs are made for the newest {chain.config.proof_range_limit} blocks")
    with kept_history():
        found = await backend.proof(address, [key.slot for key in keys], at)
    return {
        "address": data(address),
        "accountProof": [data(node) for node in found.nodes],
        "balance": quantity(found.balance_wei),
        "codeHash": data(found.code_hash),
        "nonce": quantity(found.nonce),
        "storageHash": data(found.storage_root),
        "storageProof": [
            {"key": key.shown, "value": quantity(slot.value), "proof": [data(node) for node in slot.nodes]}
            for key, slot in zip(keys, found.slots, strict=True)
        ],
    }


async def create_access_list(
    chain: ServedChain, wanted: CallObject, block: BlockId, overrides: dict[Address, AccountOverride] | None
) -> Json:
    """The access list with which the transaction runs cheapest, the gas it then uses, and how it fails if it does."""
    backend, config = chain.backend, chain.config
    request = with_overrides(wanted.checked(backend.spec.chain_id), overrides)
    with kept_history():
        at = read_at(chain, block)
        entries, result = await backend.create_access_list(request, at, config.call_gas_cap, config.call_timeout_s)
    answer: Json = {"accessList": access_list(entries), "gasUsed": quantity(result.gas_used)}
    if result.reverted:
        reason = revert_reason(result.output)
        answer["error"] = f"{Errors.REVERTED.text}: {reason}" if reason else Errors.REVERTED.text
    elif result.halt:
        answer["error"] = result.halt
    return answer


async def trace_transaction(chain: ServedChain, transaction_hash: Hash32, options: TraceOptions) -> object:
    """What a sealed transaction did, step by step or call by call."""
    inclusion = chain.backend.inclusion(transaction_hash)
    if inclusion is None:
        raise RpcError(Errors.SERVER, "transaction not found")
    if not inclusion.sealed:
        raise RpcError(Errors.SERVER, "the transaction's block is not sealed yet: try again after it")
    block = _block(chain, inclusion.block.number)
    (trace,) = await _traces(chain, block, range(inclusion.position, inclusion.position + 1), options)
    return trace


async def trace_block(chain: ServedChain, block: int | Tag | ByHash, options: TraceOptions) -> list[Json]:
    """What every transaction of a sealed block did."""
    backend = chain.backend
    number = backend.block_number(block.hash) if isinstance(block, ByHash) else sealed_number(backend.heads, block)
    if number is None or number > backend.heads.unsafe.number:
        name = data(block.hash) if isinstance(block, ByHash) else f"#{number}"
        raise RpcError(Errors.SERVER, f"block {name} not found")
    if number == 0:
        raise RpcError(Errors.SERVER, "genesis is not traceable")
    found = _block(chain, number)
    traces = await _traces(chain, found, range(len(found.transactions)), options)
    return [
        {"txHash": data(transaction.hash), "result": trace}
        for transaction, trace in zip(found.transactions, traces, strict=True)
    ]


async def trace_block_by_hash(chain: ServedChain, block_hash: Hash32, options: TraceOptions) -> list[Json]:
    """As by number."""
    return await trace_block(chain, ByHash(block_hash), options)


async def trace_call(chain: ServedChain, wanted: CallObject, block: BlockId, options: TraceOptions) -> object:
    """What a call would do."""
    options.check()
    backend, config = chain.backend, chain.config
    request = with_overrides(wanted.checked(backend.spec.chain_id), options.overrides, options.block)
    with kept_history():
        at = read_at(chain, block)
        trace = await backend.trace_call(request, at, config.call_gas_cap, config.trace_timeout_s, options.members)
    return _passed_on(chain, [trace])[0]


def _block(chain: ServedChain, number: int) -> Block:
    block = chain.backend.block(number)
    if block is None:
        raise RpcError(Errors.PRUNED)
    return block


async def _traces(chain: ServedChain, block: Block, wanted: range, options: TraceOptions) -> list[object]:
    options.check()
    with kept_history():
        traces = await chain.backend.trace_transactions(
            block.header.number, block.transactions, wanted, chain.config.trace_timeout_s, options.members
        )
    return _passed_on(chain, traces)


def _passed_on(chain: ServedChain, traces: Sequence[str]) -> list[object]:
    """The engine's JSON as it is. Raises ``RpcError`` before a copy of what is too large is made."""
    if sum(map(len, traces)) > chain.config.response_limit_bytes:
        raise RpcError(Errors.RESPONSE_TOO_LARGE)
    return [orjson.Fragment(trace) for trace in traces]


_SWITCHES: Final = ("disableStorage", "disableStack", "enableMemory", "enableReturnData")


def trace_options(value: object) -> TraceOptions:
    """The parsed options. What cannot be honoured is refused, ``timeout`` and ``reexec`` are left to the node."""
    fields = members(value)
    overrides = state_overrides(fields["stateOverrides"]) if "stateOverrides" in fields else None
    block = call_block_override(fields["blockOverrides"]) if "blockOverrides" in fields else None
    options: dict[str, object] = {name: boolean(fields[name]) for name in _SWITCHES if name in fields}
    if "limit" in fields:
        options["limit"] = loose_integer(fields["limit"])
    if "tracer" in fields:
        if not isinstance(fields["tracer"], str):
            raise Malformed("tracer: expected a string")
        options["tracer"] = fields["tracer"]
    if "tracerConfig" in fields:
        options["tracerConfig"] = members(fields["tracerConfig"])
    return TraceOptions(options, overrides, block)


_ADDRESS = Parameter("address", parse_address)
_BLOCK = optional("block", block_id, Tag.LATEST)
_OPTIONS = optional("options", trace_options, TraceOptions({}))
_CALL = Parameter("transaction", call_object)

METHODS = (
    Method(
        "eth_getProof",
        proof,
        (_ADDRESS, optional("storageKeys", list_of(SlotKey, SLOTS_LIMIT), ()), _BLOCK),
        Kind.CALL,
    ),
    Method(
        "eth_createAccessList",
        create_access_list,
        (_CALL, _BLOCK, optional("stateOverrides", state_overrides)),
        Kind.CALL,
    ),
    Method(
        "debug_traceTransaction",
        trace_transaction,
        (Parameter("transactionHash", parse_hash), _OPTIONS),
        Kind.TRACE,
    ),
    Method(
        "debug_traceBlockByNumber",
        trace_block,
        (Parameter("block", block_number_or_tag), _OPTIONS),
        Kind.TRACE,
    ),
    Method(
        "debug_traceBlockByHash",
        trace_block_by_hash,
        (Parameter("blockHash", parse_hash), _OPTIONS),
        Kind.TRACE,
    ),
    Method("debug_traceCall", trace_call, (_CALL, _BLOCK, _OPTIONS), Kind.TRACE),
)
