"""Where ``sequencer audit`` finds blocks with their arrival records: a DA folder, or a node's RPC. Blocking.

From DA, a batch counts as derivation takes it: signed by enough of the set, in one chain, with the body that
its header commits to. Nothing is executed, because order does not depend on outcomes; that the blocks execute
as their headers say is what ``sequencer derive`` finds out.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any

from da.blocks import DerivedBlock
from da.derive import AcceptedBatch, Derivation
from da.local import read_all
from mempool.admission import PythonRecovery
from sequencer.core import encoding, preconf_json
from sequencer.core.block import PayloadAttributes
from sequencer.core.chain_spec import OrderingRule
from sequencer.core.eip712 import Domain
from sequencer.core.errors import ConfigError, Malformed, Rejected, Temporary
from sequencer.core.genesis import Genesis
from sequencer.core.ports import EntryRules, OrderingPolicy
from sequencer.core.received import Received
from sequencer.core.transaction import Arrival, PooledTransaction
from sequencer.core.types import UINT64_MAX, ZERO_ADDRESS, ZERO_HASH, Address, Hash32
from sequencer.genesis_block import genesis_header
from sequencer.ordering import received
from sequencer.ordering.audit import LOOKAHEAD_BLOCKS, AuditedBlock, AuditedFlashblock, Violation, audit, history_start
from sequencer.ordering.express_lane import ExpressLane
from sequencer.ordering.lane import LaneTable, holder_slot
from sequencer.ordering.registry import make_policy

Call = Callable[..., Any]
"""``call(method, *params)`` asks a node by JSON-RPC. Raises ``Temporary`` or ``ConfigError``."""
RECEIPTS_LIMIT_BYTES = 256 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Report:
    """What an audit found. ``blocks`` is how many were judged."""

    blocks: int
    violations: tuple[Violation, ...]

    @property
    def kept(self) -> bool:
        """No violation was found."""
        return not self.violations

    def to_json(self) -> dict[str, Any]:
        """The protocol's object (section 9)."""
        return {
            "kept": self.kept,
            "blocks": self.blocks,
            "violations": [
                {
                    "block": violation.block,
                    "position": violation.position,
                    "rule": violation.rule.value,
                    "txHash": encoding.data(violation.transaction_hash),
                }
                for violation in self.violations
            ],
        }


@dataclass(frozen=True, slots=True)
class AuditedChain:
    """A chain to audit: what it declares, who signs for it, and its blocks from a number on.

    ``blocks(first)`` gives consecutive blocks as far as there are any.
    """

    rule: OrderingRule
    domain: Domain
    members: frozenset[Address]
    blocks: Callable[[int], Iterator[AuditedBlock]]
    read_slot: Callable[[Address, Hash32], Hash32] | None = None
    """A storage slot of the chain's newest state, where there is somebody to ask."""


def run(chain: AuditedChain, first: int, last: int, receipts: Mapping[Hash32, Received]) -> Report:
    """Audit blocks ``first`` to ``last``. Raises ``Temporary`` if not all of them are there, ``ConfigError`` for a
    policy that cannot be replayed."""
    lane = LaneTable()
    policy = make_policy(chain.rule, lane)
    blocks = chain.blocks(history_start(policy, first))
    wanted = takewhile(lambda block: block.attributes.number <= last + LOOKAHEAD_BLOCKS, blocks)
    judged = 0
    violations: list[Violation] = []
    for _, violation in audit(policy, _with_holders(policy, lane, chain, wanted), first, last, receipts):
        judged += 1
        if violation:
            violations.append(violation)
    if judged < last - first + 1:
        raise Temporary(f"blocks {first + judged} to {last} are not there")
    return Report(judged, tuple(violations))


def read_receipts(file: Path, chain: AuditedChain) -> dict[Hash32, Received]:
    """Receipts as ``sequencer_getReceived`` gave them, an object a line or in an array. Raises ``ConfigError`` for
    one that no sequencer of the chain signed."""
    try:
        if file.stat().st_size > RECEIPTS_LIMIT_BYTES:
            raise ConfigError("--receipts", str(file), f"is larger than {RECEIPTS_LIMIT_BYTES} bytes")
        text = file.read_text(encoding="utf-8").strip()
        listed = json.loads(text) if text.startswith("[") else [json.loads(line) for line in text.splitlines() if line]
        found: dict[Hash32, Received] = {}
        for at, document in enumerate(listed):
            signed = received.from_json(document)
            if signed.signer not in chain.members or not signed.verified(chain.domain):
                raise ConfigError("--receipts", str(file), f"receipt {at} is not signed by a sequencer of the chain")
            found[signed.received.transaction_hash] = signed.received
    except OSError as error:
        raise ConfigError("--receipts", str(file), error.strerror or "cannot be read") from None
    except (ValueError, TypeError) as error:
        raise ConfigError("--receipts", str(file), str(error)) from None
    return found


# ---------------------------------------------------------------------------------------------------------- from DA


def from_folder(folder: Path, genesis: Genesis) -> AuditedChain:
    """A chain as it stands in a folder of the local layer."""
    spec = genesis.spec
    header = genesis_header(genesis)
    domain = Domain(spec.chain_id, spec.verifying_contract, header.hash)

    def blocks(first: int) -> Iterator[AuditedBlock]:
        rules = Derivation(domain, header.ref, genesis.timestamp, lambda epoch: spec.sequencers if epoch == 0 else None)
        for ref, blob in read_all(folder):
            for event in rules.feed(ref, blob):
                if isinstance(event, AcceptedBatch):
                    for block in event.blocks:
                        if block.attributes.number >= first:
                            yield _derived(block, spec.chain_id, spec.fork_at(block.attributes.timestamp))

    members = frozenset(member.address for member in spec.sequencers.members)
    return AuditedChain(spec.ordering, domain, members, blocks)


def _derived(block: DerivedBlock, chain_id: int, fork: str) -> AuditedBlock:
    return AuditedBlock(
        block.attributes,
        tuple(
            _flashblock(
                entry.flashblock.timestamp_ms,
                entry.transactions,
                [(a.sequence, a.age_ms, a.origin) for a in entry.arrivals],
                EntryRules(chain_id, fork, block.attributes.gas_limit, 0, 0, size_limit_bytes=UINT64_MAX),
            )
            for entry in block.flashblocks
        ),
    )


def _flashblock(
    timestamp_ms: int, raws: Sequence[bytes], arrivals: Iterable[tuple[int, int, int]], rules: EntryRules
) -> AuditedFlashblock:
    taken = []
    for answer, (sequence, age_ms, origin) in zip(PythonRecovery().recover(raws, rules), arrivals, strict=True):
        if isinstance(answer, Rejected):
            raise Malformed(f"not a transaction of this chain: {answer}")
        taken.append(PooledTransaction(answer, Arrival(sequence, timestamp_ms - age_ms, origin)))
    return AuditedFlashblock(timestamp_ms, tuple(taken))


# ------------------------------------------------------------------------------------------------------ from a node


def from_node(call: Call) -> AuditedChain:
    """A chain as a node shows it, for as many blocks as it remembers records of (``sequencer_getFlashblocks``)."""
    try:
        config = call("sequencer_rollupConfig")
        members = call("sequencer_getSequencerSet")["members"]
        ordering = config["ordering"]
        domain = preconf_json.parse_domain(config["domain"], "domain")
        rule = OrderingRule(ordering["policy"], dict(ordering["parameters"]))
        signers = frozenset(encoding.parse_address(member["address"]) for member in members)
        forks = [(fork["name"], encoding.parse_quantity(fork["timestamp"])) for fork in config["forks"]]
    except (KeyError, TypeError, AttributeError, Malformed) as error:
        raise Temporary(f"the node does not answer as a sequencer: {error!r}") from None
    newest_fork = forks[-1][0]

    def blocks(first: int) -> Iterator[AuditedBlock]:
        head = encoding.parse_quantity(call("eth_blockNumber"))
        for number in range(first, head + 1):
            answer = call("sequencer_getFlashblocks", encoding.quantity(number))
            if answer is None:
                raise Temporary(f"the node has no records of block {number} any more: audit it from DA")
            try:
                yield _shown(answer, EntryRules(domain.chain_id, newest_fork, UINT64_MAX, 0, 0, UINT64_MAX))
            except (KeyError, TypeError, ValueError) as error:
                raise Temporary(f"the node does not answer as a sequencer: {error!r}") from None

    def read_slot(contract: Address, slot: Hash32) -> Hash32:
        answer = call("eth_getStorageAt", encoding.data(contract), encoding.data(slot), "latest")
        return encoding.parse_hash(answer)

    return AuditedChain(rule, domain, signers, blocks, read_slot)


def _shown(document: Mapping[str, Any], rules: EntryRules) -> AuditedBlock:
    attributes = PayloadAttributes(
        number=encoding.parse_quantity(document["blockNumber"]),
        parent_hash=ZERO_HASH,
        timestamp=0,
        gas_limit=0,
        base_fee_per_gas=encoding.parse_quantity(document["baseFeePerGas"]),
        coinbase=ZERO_ADDRESS,
        prev_randao=ZERO_HASH,
        extra_data=encoding.parse_hash(document["extraData"]),
        term=encoding.parse_quantity(document["term"]),
    )
    return AuditedBlock(
        attributes,
        tuple(
            _flashblock(
                encoding.parse_quantity(flashblock["timestampMs"]),
                [encoding.parse_data(raw) for raw in flashblock["transactions"]],
                [(int(sequence), int(age), int(origin)) for sequence, age, origin in flashblock["arrivals"]],
                rules,
            )
            for flashblock in document["flashblocks"]
        ),
    )


def _with_holders(
    policy: OrderingPolicy, lane: LaneTable, chain: AuditedChain, blocks: Iterable[AuditedBlock]
) -> Iterator[AuditedBlock]:
    """The blocks, with the lane's holders learnt before they are needed."""
    contract = policy.auction if isinstance(policy, ExpressLane) else None
    if isinstance(policy, ExpressLane) and contract is not None and chain.read_slot is None:
        raise ConfigError("--da", "express_lane", "who holds the lane stands in a contract: audit with --rpc")
    for block in blocks:
        if isinstance(policy, ExpressLane) and contract is not None and chain.read_slot is not None:
            for flashblock in block.flashblocks:
                for pooled in flashblock.taken:
                    number = pooled.arrival.received_ms // policy.round_ms
                    if not lane.knows(number):
                        lane.learn(number, chain.read_slot(contract, holder_slot(number)))
        yield block
