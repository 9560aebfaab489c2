"""``sequencer evidence``: prove a sequencer's fault, check a proof, report it, watch for faults."""

import argparse
import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sequencer.beacon import evidence_json
from sequencer.beacon.slashing import NoFault
from sequencer.cli.arguments import add_command, add_json
from sequencer.cli.output import Exit, checksummed, complain, result, result_json
from sequencer.cli.run import read_genesis
from sequencer.core.encoding import data, parse_address
from sequencer.core.errors import ConfigError, Malformed
from sequencer.core.evidence import Evidence, Fault, Flaw, SignedPromise, Verdict, verify

if TYPE_CHECKING:
    from sequencer.beacon.service import WatchService
    from sequencer.beacon.watcher import PostedBatch
    from sequencer.cli.arguments import Commands
    from sequencer.core.eip712 import Domain
    from sequencer.core.genesis import Genesis

DA_POLL_S: Final = 1.0

_FAULTS: Final = {
    Fault.E1: "equivocation: two promises that are not on one chain",
    Fault.E2: "a batch that contradicts a promise of its signer",
    Fault.E3: "two batches of one sequence number",
}


def register(commands: "Commands") -> None:
    """Add the group."""
    group = commands.add_parser(
        "evidence",
        help="prove, check and report faults of sequencers",
        description=(
            "A fault is proven by two statements that one key has signed. The proof convinces anyone, offline and on "
            "chain."
        ),
    )
    inner = group.add_subparsers(metavar="COMMAND", required=True)
    _register_build(inner)
    check = add_command(
        inner,
        "verify",
        _verify,
        summary="check a proof, offline",
        description="Check evidence by itself: signatures are recovered and nothing is believed.\n"
        "Exit 0 when the fault is proven, 1 when it is not.",
        examples="  sequencer evidence verify evidence.json --json",
    )
    check.add_argument("file", type=Path, metavar="FILE", help="evidence as `evidence build` writes it")
    check.add_argument("--genesis", type=Path, metavar="FILE", help="take evidence about this chain only")
    add_json(check)
    _register_submit(inner)
    _register_watch(inner)


def _register_build(inner: "Commands") -> None:
    build = add_command(
        inner,
        "build",
        _build,
        summary="prove a fault from two signed objects",
        description="""\
Make evidence out of two files. Each holds a pre-confirmation, a signed flashblock, a signed batch header, or is a
blob of the DA layer. Two promises that are not on one chain are an equivocation (E1), a batch may contradict a
promise of its own signer (E2), and two batches may have one number (E3). The flashblocks between two promises
and the contents of a batch are looked up on DA, or on a node. Exit 0 when a fault is proven, 1 when there is none.""",
        examples="""\
  sequencer evidence build mine.json other.json
  sequencer evidence build mine.json chain/da/000000000007.blob --da chain/da --out evidence.json""",
    )
    build.add_argument("a", type=Path, metavar="A", help="first half")
    build.add_argument("b", type=Path, metavar="B", help="second half, in either order")
    build.add_argument("--da", type=Path, metavar="DIR", help="folder of the local layer")
    build.add_argument("--rpc-url", metavar="URL", help="node whose chain holds the flashblocks in between")
    build.add_argument("--genesis", type=Path, metavar="FILE", help="genesis, when no half names its domain")
    build.add_argument("--out", type=Path, metavar="FILE", help="where to write (default: evidence-ID.json)")
    add_json(build)


def _register_submit(inner: "Commands") -> None:
    submit = add_command(
        inner,
        "submit",
        _submit,
        summary="report a proof to the evidence contract",
        description="""\
Report evidence to a chain. The contract is asked for its verdict first; then the reporter commits to the evidence,
waits, and reveals it, so that nobody can copy the report while it waits for inclusion. Interrupted, the same command
goes on where it stopped. Exit 0 when the fault stands on chain, 1 when the contract refuses it.""",
        examples="""\
  sequencer evidence submit evidence.json --rpc-url http://127.0.0.1:8545 --contract 0xADDR --key-file key.hex""",
    )
    submit.add_argument("file", type=Path, metavar="FILE", help="evidence as `evidence build` writes it")
    submit.add_argument("--rpc-url", required=True, metavar="URL", help="JSON-RPC of the chain that hears evidence")
    submit.add_argument("--contract", required=True, metavar="ADDR", help="address of the evidence contract")
    submit.add_argument("--key-file", type=Path, required=True, metavar="FILE", help="reporter's key: keystore or hex")
    submit.add_argument("--password-file", type=Path, metavar="FILE", help="password of the keystore")
    submit.add_argument("--timeout", type=float, default=300.0, metavar="SECONDS", help="for each wait (default: 300)")
    add_json(submit)


def _register_watch(inner: "Commands") -> None:
    watch = add_command(
        inner,
        "watch",
        _watch,
        summary="watch for faults and write evidence down",
        description="""\
Compare everything that sequencers are seen to sign with each other and with what stands on DA, and write evidence
of each fault to DIR/evidence. Runs until it is stopped; with --once it reads what is there and exits: 0 when there
is no fault, 1 when there is one.""",
        examples="""\
  sequencer evidence watch --rpc ws://127.0.0.1:8545 --da chain/da --data-dir watch
  sequencer evidence watch --file flashblocks.jsonl --da chain/da --data-dir watch --once --json""",
    )
    watch.add_argument(
        "--rpc", action="append", default=[], metavar="WS_URL", help="node to listen to; may be repeated"
    )
    watch.add_argument("--file", type=Path, action="append", default=[], help="newFlashblocks events, one a line")
    watch.add_argument("--da", type=Path, required=True, metavar="DIR", help="folder of the local layer")
    watch.add_argument("--genesis", type=Path, metavar="FILE", help="genesis file (default: genesis.json in --da)")
    watch.add_argument("--data-dir", type=Path, default=Path(), metavar="DIR", help="default: the current folder")
    watch.add_argument("--once", action="store_true", help="read what is there, then exit")
    add_json(watch, "print one JSON object a fault")


def _build(arguments: argparse.Namespace) -> int:
    from da.local import read_all
    from sequencer import evidence_sources as sources
    from sequencer.beacon.json_rpc import JsonRpc

    a, b = sources.read_half(arguments.a), sources.read_half(arguments.b)
    known = sources.Known()
    if arguments.da is not None:
        known.learn(sources.batches_of(read_all(_da_folder(arguments))))
    if arguments.rpc_url:
        known.node = sources.parent_from_node(JsonRpc(arguments.rpc_url).call)
    domain = _domain(arguments, a.domain, b.domain)
    other_chains = NoFault(Flaw.FOREIGN_DOMAIN, "the files are of different chains")
    made = sources.build(a, b, domain, known) if domain else other_chains
    if isinstance(made, NoFault):
        complain(f"no fault: {made.reason}")
        return _say(arguments, verdict=None)
    verdict = verify(made)
    assert verdict.id is not None  # noqa: S101 - what the builder makes is proven
    file = arguments.out or Path(f"evidence-{verdict.id.hex()[:16]}.json")
    try:
        file.write_text(evidence_json.dump(made), encoding="utf-8")
    except OSError as error:
        raise ConfigError("--out", str(file), error.strerror or "cannot be written") from None
    complain(f"written to {file}")
    return _say(arguments, verdict)


def _verify(arguments: argparse.Namespace) -> int:
    domain = _domain_of(read_genesis(arguments.genesis)) if arguments.genesis else None
    verdict = verify(_read_evidence(arguments.file), domain)
    if not verdict.valid:
        complain(f"nothing is proven: {verdict.reason}")
    return _say(arguments, verdict)


def _submit(arguments: argparse.Namespace) -> int:
    from sequencer.beacon.errors import Refused
    from sequencer.beacon.json_rpc import JsonRpc
    from sequencer.beacon.reporter import Reporter

    evidence = _read_evidence(arguments.file)
    verdict = verify(evidence)
    if not verdict.valid:
        complain(f"nothing is proven, and nothing was sent: {verdict.reason}")
        return _say(arguments, verdict)
    try:
        contract = parse_address(arguments.contract)
    except Malformed as error:
        raise ConfigError("--contract", arguments.contract, str(error)) from None
    rpc = JsonRpc(arguments.rpc_url)
    reporter = Reporter(rpc, contract, _signer(arguments), timeout_s=arguments.timeout)
    try:
        reported = reporter.report(evidence)
    except Refused as refused:
        complain(f"error: {refused}")
        return _say(arguments, None, verdict.fault)
    if reported.transaction_hash is None:
        complain(f"reported already, by {checksummed(reported.reporter)}")
    else:
        complain(f"reported in transaction {data(reported.transaction_hash)}")
    return _say(arguments, verdict)


def _watch(arguments: argparse.Namespace) -> int:
    from prometheus_client import CollectorRegistry

    from sequencer.beacon.feed import recorded
    from sequencer.beacon.metrics import EvidenceMetrics
    from sequencer.beacon.service import WatchService
    from sequencer.beacon.watcher import Watcher
    from sequencer.telemetry import logs
    from sequencer.telemetry.config import LogConfig

    logs.configure(LogConfig())
    folder = _da_folder(arguments)
    if not (arguments.rpc or arguments.file):
        raise ConfigError("--rpc", "", "is needed, or --file: there is nothing to compare the batches with")
    genesis = read_genesis(arguments.genesis or folder / "genesis.json")
    members = frozenset(member.address for member in genesis.spec.sequencers.members)
    found: list[Verdict] = []

    async def on_found(_evidence: Evidence, verdict: Verdict, file: Path) -> None:
        found.append(verdict)
        complain(f"written to {file}")
        _say(arguments, verdict)

    watcher = Watcher(_domain_of(genesis), members)
    service = WatchService(watcher, arguments.data_dir / "evidence", EvidenceMetrics(CollectorRegistry()), on_found)
    promises = [signed for file in arguments.file for signed in _recorded(file, recorded)]
    batches = _new_batches(folder)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(
            _watch_once(service, promises, batches)
            if arguments.once
            else _watch_on(service, promises, batches, arguments.rpc)
        )
    return Exit.FAILED if found else Exit.DONE


async def _watch_once(
    service: "WatchService", promises: list[SignedPromise], batches: "Callable[[], AsyncIterator[PostedBatch]]"
) -> None:
    for signed in promises:
        await service.promise(signed)
    async for batch in batches():
        await service.batch(batch)


async def _watch_on(
    service: "WatchService",
    promises: list[SignedPromise],
    batches: "Callable[[], AsyncIterator[PostedBatch]]",
    urls: list[str],
) -> None:
    from sequencer.beacon.feed import subscribed

    await _watch_once(service, promises, batches)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(service.follow_batches(batches, DA_POLL_S), name="batches")
        for url in urls:
            tasks.create_task(service.follow_promises(partial(subscribed, url)), name="flashblocks")


def _new_batches(folder: Path) -> "Callable[[], AsyncIterator[PostedBatch]]":
    """Gives, each time it is called, the batches of the blobs that came since."""
    from da.local import LocalLayer
    from sequencer.posted_batches import PostedBatches

    layer, reader = LocalLayer(folder), PostedBatches()
    next_height = 1

    async def read() -> "AsyncIterator[PostedBatch]":
        nonlocal next_height
        async for ref, blob in layer.blobs(next_height):
            next_height = ref.height + 1
            for batch in reader.feed(blob):
                yield batch

    return read


# ---------------------------------------------------------------------------------------------- what they share


def _say(arguments: argparse.Namespace, verdict: Verdict | None, fault: Fault | None = None) -> int:
    """Print the verdict as protocol section 9 has it; the exit code."""
    if verdict is not None:
        fault = verdict.fault
    valid = verdict is not None and verdict.valid
    offender = checksummed(verdict.offender) if verdict and verdict.offender else None
    evidence_id = data(verdict.id) if verdict and verdict.id else None
    if arguments.json:
        kind = fault.name if fault else None
        result_json({"id": evidence_id, "kind": kind, "offender": offender, "valid": valid})
    elif valid and fault:
        result(f"{fault.name} proven against {offender}: {_FAULTS[fault]}\nid {evidence_id}")
    else:
        result("no fault is proven")
    return Exit.DONE if valid else Exit.FAILED


def _read_evidence(file: Path) -> Evidence:
    try:
        with file.open(encoding="utf-8") as text:
            return evidence_json.load(text.read(evidence_json.SIZE_LIMIT_BYTES + 1))
    except OSError as error:
        raise ConfigError("FILE", str(file), error.strerror or "cannot be read") from None
    except (Malformed, UnicodeDecodeError) as error:
        raise ConfigError("FILE", str(file), str(error)) from None


def _recorded(file: Path, read: Callable[[str], Any]) -> list[SignedPromise]:
    try:
        return list(read(file.read_text(encoding="utf-8")))
    except OSError as error:
        raise ConfigError("--file", str(file), error.strerror or "cannot be read") from None
    except (Malformed, UnicodeDecodeError) as error:
        raise ConfigError("--file", str(file), str(error)) from None


def _da_folder(arguments: argparse.Namespace) -> Path:
    folder: Path = arguments.da
    if not folder.is_dir():
        raise ConfigError("--da", str(folder), "is not a folder of the local layer")
    return folder


def _domain(arguments: argparse.Namespace, *stated: "Domain | None") -> "Domain | None":
    """The domain that the halves name, else that of the genesis. None if they name different ones."""
    named = {domain for domain in stated if domain is not None}
    file = arguments.genesis or (arguments.da / "genesis.json" if arguments.da else None)
    if named:
        return named.pop() if len(named) == 1 else None
    if file is None:
        raise ConfigError("--genesis", "", "is needed, or --da: neither file names its domain")
    return _domain_of(read_genesis(file))


def _domain_of(genesis: "Genesis") -> "Domain":
    from sequencer.genesis_block import domain_of

    return domain_of(genesis)


def _signer(arguments: argparse.Namespace) -> Any:
    from sequencer.signer import keystore
    from sequencer.signer.local import LocalSigner

    if arguments.password_file is not None:
        return LocalSigner(keystore.decrypt(arguments.key_file, keystore.read_password(arguments.password_file)))
    return LocalSigner(keystore.read_plain_key(arguments.key_file))
