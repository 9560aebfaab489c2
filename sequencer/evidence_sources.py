"""Where ``sequencer evidence`` finds what was signed: files of users, the DA folder, a node's RPC. Blocking.

A file holds one of

::

    a pre-confirmation           as sequencer_getPreconfirmation or eth_sendRawTransactionSync gave it
    a signed flashblock          {flashblock, signature, ...}, as newFlashblocks shows it
    a signed batch header        {header, signature} or {header, signatures[]}, with domain or without
    a blob of the DA layer       its bytes: the batches that stand whole in it
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any, Final, TypeAlias

from sequencer.beacon import slashing
from sequencer.beacon.evidence_json import at, parse_signature, parse_struct, read_object
from sequencer.beacon.feed import parse_event
from sequencer.beacon.slashing import Ancestor, BatchContents, MissingAncestor, NoFault, empty_contents
from sequencer.beacon.structs import BATCH_HEADER
from sequencer.beacon.watcher import PostedBatch
from sequencer.core import preconf_json
from sequencer.core.batch import BatchHeader
from sequencer.core.eip712 import Domain
from sequencer.core.encoding import data, quantity
from sequencer.core.errors import ConfigError, Malformed, Temporary
from sequencer.core.evidence import Evidence, Flaw, SignedHeader, SignedPromise
from sequencer.core.flashblock import Flashblock
from sequencer.core.types import Hash32
from sequencer.posted_batches import PostedBatches

FILE_LIMIT_BYTES: Final = 64 * 1024 * 1024
EMPTY_BLOCKS_LIMIT: Final = 100_000
"""How many blocks without a flashblock are passed in search of the one before."""

Signed: TypeAlias = SignedPromise | SignedHeader


@dataclass(frozen=True, slots=True)
class Half:
    """What one file holds: everything in it that is signed, and the domain if it says."""

    signed: tuple[Signed, ...]
    domain: Domain | None = None
    batches: tuple[PostedBatch, ...] = ()


@dataclass(slots=True)
class Known:
    """What is known beside the two halves. ``node`` finds the parent of a flashblock on a node's chain."""

    flashblocks: dict[Hash32, Flashblock] = field(default_factory=dict)
    batches: dict[Hash32, BatchContents] = field(default_factory=dict)
    node: Callable[[Flashblock], Ancestor] | None = None

    def learn(self, batches: Iterable[PostedBatch]) -> None:
        """Take in batches from DA."""
        for batch in batches:
            flashblocks = batch.flashblocks or ()
            contents = BatchContents.of(flashblocks)
            self.flashblocks |= {f.struct_hash: f for f in flashblocks}
            if contents.belong_to(batch.header):
                self.batches[batch.header.struct_hash] = contents

    def parent_of(self, child: Flashblock) -> Ancestor:
        """From memory, else from the node."""
        found: Ancestor = self.flashblocks.get(child.parent)
        return found if found is not None or self.node is None else self.node(child)


def read_half(file: Path) -> Half:
    """What ``file`` holds. Raises ``ConfigError``."""
    try:
        if file.stat().st_size > FILE_LIMIT_BYTES:
            raise ConfigError("FILE", str(file), f"is larger than {FILE_LIMIT_BYTES} bytes")
        content = file.read_bytes()
        return _parse_json(content.decode()) if content.lstrip()[:1] == b"{" else _parse_blob(content)
    except OSError as error:
        raise ConfigError("FILE", str(file), error.strerror or "cannot be read") from None
    except UnicodeDecodeError:
        raise ConfigError("FILE", str(file), "is neither JSON nor a blob with a whole batch") from None
    except Malformed as error:
        raise ConfigError("FILE", str(file), str(error)) from None


def batches_of(blobs: Iterable[tuple[Any, bytes]]) -> list[PostedBatch]:
    """Every batch among ``blobs``, which are all of a layer in its order."""
    reader = PostedBatches()
    return [batch for _, blob in blobs for batch in reader.feed(blob)]


def build(a: Half, b: Half, domain: Domain, known: Known) -> Evidence | NoFault:
    """The first evidence that anything in ``a`` makes with anything in ``b``; else why the last pair makes none.
    Raises ``Temporary`` if that depends on a flashblock that is not known."""
    known.learn([*a.batches, *b.batches])
    for signed in (*a.signed, *b.signed):
        if isinstance(signed, SignedPromise):
            known.flashblocks[signed.flashblock.struct_hash] = signed.flashblock
    outcome: NoFault | MissingAncestor = NoFault(Flaw.SAME_OBJECT, "there is nothing signed in the files")
    for one, other in product(a.signed, b.signed):
        made = _pair(one, other, domain, known)
        if not isinstance(made, NoFault | MissingAncestor):
            return made
        outcome = made if not isinstance(outcome, MissingAncestor) else outcome
    if isinstance(outcome, MissingAncestor):
        raise Temporary(
            f"the flashblock {data(outcome.struct_hash)} between the two is not known: give --da or --rpc-url of a "
            "node that has it"
        )
    return outcome


def _pair(a: Signed, b: Signed, domain: Domain, known: Known) -> Evidence | NoFault | MissingAncestor:
    match a, b:
        case SignedPromise(), SignedPromise():
            return slashing.equivocation(domain, a, b, known.parent_of)
        case SignedHeader(), SignedHeader():
            return slashing.double_batch(domain, a, b)
        case SignedPromise(), SignedHeader():
            return _against_batch(a, b, domain, known)
        case SignedHeader(), SignedPromise():
            return _against_batch(b, a, domain, known)
    raise AssertionError("unreachable")


def _against_batch(promised: SignedPromise, batch: SignedHeader, domain: Domain, known: Known) -> Evidence | NoFault:
    contents = known.batches.get(batch.header.struct_hash)
    made = slashing.contradicted_promise(domain, promised, batch, contents or empty_contents())
    if contents is None and isinstance(made, NoFault) and made.flaw is Flaw.NOT_OMITTED:
        raise Temporary(f"the body of batch {batch.header.sequence} is not known: give --da of the layer that has it")
    return made


# ------------------------------------------------------------------------------------------------------- parsing


def _parse_json(text: str) -> Half:
    document = read_object(text)
    if "header" in document:
        return _parse_header(document)
    inner = preconf_json.unwrap(document)
    if isinstance(inner, dict) and "orderBranch" in inner:
        promise = preconf_json.from_json(inner)
        return Half((SignedPromise(promise.signed.flashblock, promise.signed.signature),), promise.domain)
    return Half((parse_event(inner),), _domain_in(inner))


def _parse_header(document: dict[str, Any]) -> Half:
    header = at("header", lambda value: parse_struct(BATCH_HEADER, value), document["header"])
    listed = document.get("signatures", [document.get("signature")])
    if not isinstance(listed, list):
        raise Malformed("signatures: expected an array")
    signed = tuple(SignedHeader(header, parse_signature(signature)) for signature in listed)
    return Half(signed, _domain_in(document))


def _domain_in(document: object) -> Domain | None:
    if not isinstance(document, dict) or "domain" not in document:
        return None
    return preconf_json.parse_domain(document["domain"], "domain")


def _parse_blob(content: bytes) -> Half:
    batches = tuple(PostedBatches().feed(content))
    if not batches:
        raise Malformed("is neither JSON nor a blob with a whole batch")
    return Half(tuple(signed for batch in batches for signed in _signed(batch.header, batch.signatures)), None, batches)


def _signed(header: BatchHeader, signatures: Iterable[Any]) -> list[SignedHeader]:
    return [SignedHeader(header, signature) for signature in signatures]


# ---------------------------------------------------------------------------------------------------- from a node


def parent_from_node(call: Callable[..., Any]) -> Callable[[Flashblock], Ancestor]:
    """Finds the parent of a flashblock on the chain of a node that ``call`` asks by JSON-RPC. The node is not
    believed: what it answers must have the hash that the child names."""

    def parent_of(child: Flashblock) -> Ancestor:
        transaction_hash = _transaction_before(call, child)
        answer = call("sequencer_getPreconfirmation", transaction_hash) if transaction_hash else None
        if answer is None:
            return None
        try:
            found = preconf_json.from_json(answer).signed.flashblock
        except Malformed as error:
            raise Temporary(f"the node does not answer as a sequencer: {error}") from None
        return found if found.struct_hash == child.parent else None

    return parent_of


def _transaction_before(call: Callable[..., Any], child: Flashblock) -> str | None:
    """The hash of the last transaction before the flashblock's first one."""
    if child.index:
        hashes = _transactions(call, child.block_number)
        return hashes[child.first_position - 1] if 0 < child.first_position <= len(hashes) else None
    oldest = max(child.block_number - EMPTY_BLOCKS_LIMIT, 0)
    for number in range(child.block_number - 1, oldest, -1):
        if hashes := _transactions(call, number):
            return hashes[-1]
    return None


def _transactions(call: Callable[..., Any], number: int) -> list[str]:
    block = call("eth_getBlockByNumber", quantity(number), False)
    hashes = block.get("transactions") if isinstance(block, dict) else None
    return hashes if isinstance(hashes, list) else []
