"""Histories of a small set of sequencers, correct ones and ones with a fault, from a seed.

A correct history has takeovers, restarts that sign everything again, attestations, empty blocks, batches
under several signatures and resets. Nothing in it may ever convict anyone.
"""

from dataclasses import dataclass, field, replace
from random import Random

from sequencer.beacon.slashing import Ancestor
from sequencer.beacon.watcher import PostedBatch
from sequencer.core import secp256k1
from sequencer.core.batch import BatchHeader, flashblocks_root
from sequencer.core.eip712 import Domain
from sequencer.core.evidence import SignedHeader, SignedPromise
from sequencer.core.flashblock import Flashblock
from sequencer.core.keccak import keccak256
from sequencer.core.types import Address, Hash32

DOMAIN = Domain(4242, Address(bytes(18) + b"\x08\x01"), keccak256(b"genesis"))
KEYS = tuple(keccak256(b"sequencer %d" % number) for number in range(3))


def sign_promise(key: bytes, flashblock: Flashblock, domain: Domain = DOMAIN) -> SignedPromise:
    return SignedPromise(flashblock, secp256k1.sign(key, domain.digest(flashblock.struct_hash)))


def sign_header(key: bytes, header: BatchHeader, domain: Domain = DOMAIN) -> SignedHeader:
    return SignedHeader(header, secp256k1.sign(key, domain.digest(header.struct_hash)))


def address(key: bytes) -> Address:
    return secp256k1.address_of_private_key(key)


def flashblock(**fields: int | bytes) -> Flashblock:
    """One with unremarkable fields where none are given."""
    usual = {
        "epoch": 0,
        "term": 1,
        "reset": 0,
        "block_number": 1,
        "index": 0,
        "first_position": 0,
        "transaction_count": 1,
        "parent": DOMAIN.genesis_hash,
        "order_root": keccak256(b"order"),
        "outcomes_root": keccak256(b"outcomes"),
        "ordering_policy": keccak256(b"fcfs"),
        "timestamp_ms": 1_700_000_000_000,
        "post_by": 1_700_003_600,
    }
    return Flashblock(**(usual | fields))  # type: ignore[arg-type]


def batch_header(flashblocks: list[Flashblock], **fields: int | bytes) -> BatchHeader:
    """The header of a batch of these flashblocks."""
    usual = {
        "epoch": 0,
        "term": 1,
        "reset": 0,
        "sequence": 1,
        "previous_batch": DOMAIN.genesis_hash,
        "first_block": 1,
        "last_block": 1,
        "last_block_hash": keccak256(b"block"),
        "state_root": keccak256(b"state"),
        "flashblocks_root": flashblocks_root(flashblocks),
        "flashblock_count": len(flashblocks),
        "data_hash": keccak256(b"".join(f.struct_hash for f in flashblocks)),
    }
    return BatchHeader(**(usual | fields))  # type: ignore[arg-type]


@dataclass
class History:
    """What was signed and posted, and everything that a parent hash may lead to."""

    promises: list[tuple[bytes, SignedPromise]] = field(default_factory=list)
    headers: list[tuple[bytes, SignedHeader]] = field(default_factory=list)
    batches: list[PostedBatch] = field(default_factory=list)
    known: dict[Hash32, Flashblock | bytes] = field(default_factory=dict)
    chain: list[Flashblock] = field(default_factory=list)
    """The flashblocks that stand, of the last reset."""

    def parent_of(self, child: Flashblock) -> Ancestor:
        return self.known.get(child.parent)

    def promises_of(self, key: bytes) -> list[SignedPromise]:
        return [promise for by, promise in self.promises if by == key]

    def headers_of(self, key: bytes) -> list[SignedHeader]:
        return [header for by, header in self.headers if by == key]


class CorrectSequencers:
    """Takes random turns, all of them allowed."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self.history = History()
        self._leader = rng.choice(KEYS)
        self._term = 1
        self._reset = 0
        self._number = 0
        self._parent = DOMAIN.genesis_hash
        self._unposted: list[tuple[int, list[Flashblock]]] = []
        self._posted_block = 0
        self._sequence = 0
        self._previous_batch = DOMAIN.genesis_hash

    def run(self, blocks: int) -> History:
        for _ in range(blocks):
            self._block()
            turn = self._rng.random()
            if turn < 0.25:
                self._take_over()
            elif turn < 0.35:
                self._sign_again()
            if self._unposted and self._rng.random() < 0.4:
                self._post()
            if self._rng.random() < 0.08:
                self._window_expires()
        return self.history

    def _block(self) -> None:
        self._number += 1
        flashblocks: list[Flashblock] = []
        position = 0
        for index in range(self._rng.choice((0, 0, 1, 2, 3, 5))):
            count = self._rng.randint(1, 4)
            made = flashblock(
                term=self._term,
                reset=self._reset,
                block_number=self._number,
                index=index,
                first_position=position,
                transaction_count=count,
                parent=self._parent,
                order_root=keccak256(self._rng.randbytes(8)),
            )
            position += count
            self._parent = made.struct_hash
            self._append(made)
            flashblocks.append(made)
            if self._rng.random() < 0.1:  # a takeover seals the open block where it stands
                self._take_over()
                break
        self._unposted.append((self._number, flashblocks))

    def _append(self, made: Flashblock) -> None:
        history = self.history
        history.known[made.struct_hash] = made
        history.chain.append(made)
        signed = self._rng.random() < 0.9  # or the leader crashed between append and signature
        if signed:
            history.promises.append((self._leader, sign_promise(self._leader, made)))
        for key in KEYS:
            if key != self._leader and self._rng.random() < 0.3:
                history.promises.append((key, sign_promise(key, made)))

    def _take_over(self) -> None:
        self._term += 1
        self._leader = self._rng.choice(KEYS)

    def _sign_again(self) -> None:
        """A restart before anything was stored, or a new leader that attests the tail."""
        for made in self.history.chain[-5:]:
            self.history.promises.append((self._leader, sign_promise(self._leader, made)))

    def _post(self) -> None:
        count = self._rng.randint(1, len(self._unposted))
        run, self._unposted = self._unposted[:count], self._unposted[count:]
        flashblocks = [made for _, of_block in run for made in of_block]
        self._sequence += 1
        self._posted_block = run[-1][0]
        header = batch_header(
            flashblocks,
            term=self._term,
            reset=self._reset,
            sequence=self._sequence,
            previous_batch=self._previous_batch,
            first_block=run[0][0],
            last_block=run[-1][0],
        )
        self._previous_batch = header.struct_hash
        signers = [key for key in KEYS if key == self._leader or self._rng.random() < 0.5]
        signed = [sign_header(key, header) for key in signers]
        self.history.headers += zip(signers, signed, strict=True)
        signatures = tuple(one.signature for one in signed)
        self.history.batches.append(PostedBatch(header, signatures, tuple(flashblocks)))

    def _window_expires(self) -> None:
        """What was not posted is undone, and the chain of promises begins anew on the last derived block."""
        self._reset += 1
        self._unposted = []
        self.history.chain = []
        self._number = self._posted_block + self._rng.randint(0, 3)
        if self._number == 0:
            self._parent = DOMAIN.genesis_hash
            return
        block = b"\xf9\x02\x40" + self._rng.randbytes(576)
        self._parent = keccak256(block)
        self.history.known[self._parent] = block


def correct_history(seed: int, blocks: int = 9) -> History:
    """A history in which everyone keeps the rules."""
    return CorrectSequencers(Random(seed)).run(blocks)


def fork(rng: Random, history: History, length: int) -> list[Flashblock]:
    """Another continuation of the last reset's chain, from a random point of it or from its very beginning."""
    chain = history.chain
    cut = rng.randint(0, len(chain) - 1)
    below = chain[cut - 1] if cut else None
    reset = chain[0].reset
    parent = below.struct_hash if below else chain[0].parent
    number, index = (below.block_number, below.index) if below else (chain[0].block_number - 1, -1)
    number = max(number, 0)
    made: list[Flashblock] = []
    for _ in range(length):
        if index < 0 or rng.random() < 0.5:
            number, index = number + rng.randint(1, 3), 0
        else:
            index += 1
        one = flashblock(
            reset=reset, block_number=number, index=index, parent=parent, order_root=keccak256(rng.randbytes(8))
        )
        parent = one.struct_hash
        history.known[one.struct_hash] = one
        made.append(one)
    return made


def altered(promise: SignedPromise, key: bytes, **fields: int | bytes) -> SignedPromise:
    """The same flashblock with other fields, signed too."""
    return sign_promise(key, replace(promise.flashblock, **fields))  # type: ignore[arg-type]
