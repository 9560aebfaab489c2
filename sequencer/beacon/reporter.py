"""Reports evidence to the contract: ask, commit, wait, report (``contracts/src/EvidenceVerifier.sol``).

Every step looks before it acts, and the salt of the commitment follows from the reporter's key and the
evidence, so a report that was interrupted anywhere is simply begun again and goes on where it stopped.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from sequencer.beacon import evidence_abi
from sequencer.beacon.errors import Refused
from sequencer.core import rlp
from sequencer.core.eip712 import word
from sequencer.core.encoding import data, parse_data, parse_quantity, quantity
from sequencer.core.errors import ConfigError, Malformed, Temporary
from sequencer.core.evidence import Evidence, Flaw, Verdict, verify
from sequencer.core.keccak import keccak256
from sequencer.core.ports import Signer
from sequencer.core.types import Address, Hash32

POLL_S: Final = 0.25
REPORT_MARGIN_GAS: Final = 120_000
"""For what a report does beside verifying: two storage slots, an event, and room for a modest hook."""
COMMIT_GAS: Final = 80_000

_CONTRACT_ERRORS: Final = {
    evidence_abi.selector(signature): signature.split("(", 1)[0]
    for signature in ("NotCommitted()", "TooEarly(uint256)", "AlreadyReported(address)", "AccusedReporter()")
} | {evidence_abi.error_selector(flaw): flaw.value for flaw in Flaw}


class Rpc(Protocol):
    """A JSON-RPC endpoint."""

    def call(self, method: str, *params: object) -> object:
        """The result. Raises ``Refused`` or ``Temporary``."""
        ...


@dataclass(frozen=True, slots=True)
class Reported:
    """The fault stands on chain. ``transaction_hash`` is None if somebody else had reported it."""

    verdict: Verdict
    reporter: Address
    transaction_hash: Hash32 | None


class Reporter:
    """Reports to one contract with one key."""

    def __init__(
        self,
        rpc: Rpc,
        contract: Address,
        signer: Signer,
        *,
        timeout_s: float,
        clock_s: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._rpc = rpc
        self._contract = contract
        self._signer = signer
        self._timeout_s = timeout_s
        self._clock_s = clock_s
        self._sleep = sleep

    def report(self, evidence: Evidence) -> Reported:
        """See the fault proven on chain. Raises ``Refused`` naming the contract's error, ``Temporary`` when the
        chain is unreachable or too slow: then the same call goes on from where this one stopped."""
        if parse_data(self._rpc.call("eth_getCode", data(self._contract), "latest")) == b"":
            raise ConfigError("--contract", data(self._contract), "is not a contract on this chain")
        verdict = self._ask(evidence)
        assert verdict.id is not None  # noqa: S101 - a verdict without flaw has an id
        reporter = self._reporter_of(verdict.id)
        if any(reporter):
            return Reported(verdict, reporter, None)
        salt = keccak256(self._signer.sign(keccak256(b"sequencer evidence salt" + verdict.id)))
        self._commit(verdict.id, salt)
        report = evidence_abi.report_call(evidence, salt)
        gas = self._estimate(evidence_abi.verify_call(evidence)) + REPORT_MARGIN_GAS
        transaction_hash, succeeded = self._send(report, gas)
        reporter = self._reporter_of(verdict.id)
        if not succeeded and not any(reporter):
            self._view(report)  # says why
            raise Refused("the report reverted")
        return Reported(verdict, reporter, transaction_hash if succeeded else None)

    def _ask(self, evidence: Evidence) -> Verdict:
        """The contract's verdict, which must be ours."""
        answer = self._view(evidence_abi.verify_call(evidence))
        verdict = verify(evidence)
        if verdict.id is None or verdict.offender is None or answer != verdict.id + word(verdict.offender):
            raise Refused("the contract comes to another verdict: it is of another version, or no evidence contract")
        return verdict

    def _commit(self, evidence_id: Hash32, salt: Hash32) -> None:
        """Make the commitment unless it stands, and wait until the next block may hold the report."""
        chain_id = self._quantity("eth_chainId")
        commitment = evidence_abi.commitment(chain_id, self._contract, self._signer.address, evidence_id, salt)
        committed_at = self._word("committedAt(bytes32)", commitment)
        if committed_at == 0:
            self._send(evidence_abi.commit_call(commitment), COMMIT_GAS)
            committed_at = self._word("committedAt(bytes32)", commitment)
        if committed_at == 0:
            raise Refused("the commitment was included and does not stand")
        first = committed_at + self._word("revealDelay()")
        self._wait(lambda: self._quantity("eth_blockNumber") + 1 >= first or None, f"block {first - 1}")

    def _reporter_of(self, evidence_id: Hash32) -> Address:
        return Address(self._word("reporterOf(bytes32)", evidence_id).to_bytes(20, "big"))

    # ------------------------------------------------------------------------------------------ the chain

    def _view(self, call_data: bytes) -> bytes:
        request = {"from": data(self._signer.address), "to": data(self._contract), "data": data(call_data)}
        try:
            return parse_data(self._rpc.call("eth_call", request, "latest"))
        except Refused as refused:
            name = _CONTRACT_ERRORS.get(refused.data[:4])
            raise Refused(f"the contract refuses: {name}", refused.data) if name else refused from None
        except Malformed as error:
            raise Temporary(f"eth_call: {error}") from None

    def _word(self, signature: str, *arguments: bytes) -> int:
        return int.from_bytes(self._view(evidence_abi.selector(signature) + b"".join(arguments))[:32], "big")

    def _estimate(self, call_data: bytes) -> int:
        request = {"from": data(self._signer.address), "to": data(self._contract), "data": data(call_data)}
        return self._quantity("eth_estimateGas", request)

    def _quantity(self, method: str, *params: object) -> int:
        try:
            return parse_quantity(self._rpc.call(method, *params))
        except Malformed as error:
            raise Temporary(f"{method}: {error}") from None

    def _send(self, call_data: bytes, gas_limit: int) -> tuple[Hash32, bool]:
        """Send a transaction and wait for its receipt; its hash and whether it succeeded."""
        block = self._rpc.call("eth_getBlockByNumber", "latest", False)
        base_fee = parse_quantity(block["baseFeePerGas"]) if isinstance(block, dict) else 0
        tip = self._quantity("eth_maxPriorityFeePerGas")
        raw = self._sign(
            chain_id=self._quantity("eth_chainId"),
            nonce=self._quantity("eth_getTransactionCount", data(self._signer.address), "pending"),
            tip=tip,
            fee_cap=2 * base_fee + tip,
            gas_limit=gas_limit,
            call_data=call_data,
        )
        transaction_hash = keccak256(raw)
        self._rpc.call("eth_sendRawTransaction", data(raw))
        receipt = self._wait(
            lambda: self._rpc.call("eth_getTransactionReceipt", data(transaction_hash)), data(transaction_hash)
        )
        return transaction_hash, isinstance(receipt, dict) and receipt.get("status") == quantity(1)

    def _sign(self, *, chain_id: int, nonce: int, tip: int, fee_cap: int, gas_limit: int, call_data: bytes) -> bytes:
        """A type-2 transaction to the contract."""
        numbers = map(rlp.uint, (chain_id, nonce, tip, fee_cap, gas_limit))
        fields: list[rlp.Item] = [*numbers, self._contract, b"", call_data, []]
        signature = self._signer.sign(keccak256(b"\x02" + rlp.encode(fields)))
        proof = [rlp.uint(signature[64] - 27), signature[:32].lstrip(b"\0"), signature[32:64].lstrip(b"\0")]
        return b"\x02" + rlp.encode([*fields, *proof])

    def _wait(self, ready: Callable[[], object], what: str) -> object:
        deadline = self._clock_s() + self._timeout_s
        while (found := ready()) is None:
            if self._clock_s() > deadline:
                raise Temporary(f"waited {self._timeout_s:g} s for {what}; try again later")
            self._sleep(POLL_S)
        return found
