"""The transaction tests of ethereum/tests: decoding, entry checks and recovery give the newest fork's verdict.

One rule of this node is narrower than the protocol's: a transaction without replay protection is refused.
Cases signed without EIP-155 are therefore held in two steps: refused at the door as ``UNPROTECTED``, and
judged apart from that as the vector says. Where a case has two faults, the one that is cheaper to find is
named here.
"""

import json
from typing import Any

import pytest

from mempool.admission import PythonRecovery
from mempool.validation import check_limits, intrinsic_gas
from sequencer.core import transaction
from sequencer.core.errors import Reason, Rejected
from sequencer.core.ports import EntryRules
from sequencer.core.transaction import RecoveredTransaction
from sequencer.core.types import UINT64_MAX
from tests.vectors import vectors_dir

FORKS = (
    "Frontier",
    "Homestead",
    "EIP150",
    "EIP158",
    "Byzantium",
    "Constantinople",
    "ConstantinopleFix",
    "Istanbul",
    "Berlin",
    "London",
    "Paris",
    "Shanghai",
    "Cancun",
)
RULES = EntryRules(1, "cancun", UINT64_MAX, minimum_fee_per_gas=0, minimum_tip_per_gas=0)

REASON_OF = {
    "INTRINSIC_GAS_TOO_LOW": {Reason.INTRINSIC_GAS},
    "INITCODE_SIZE_EXCEEDED": {Reason.INIT_CODE_TOO_LARGE},
    "NONCE_TOO_BIG": {Reason.NONCE_MAX},
    "GASLIMIT_PRICE_PRODUCT_OVERFLOW": {Reason.INSUFFICIENT_FUNDS},
    "PRIORITY_GREATER_THAN_MAX_FEE_PER_GAS_2": {Reason.TIP_ABOVE_FEE_CAP},
    "TYPE_NOT_SUPPORTED": {Reason.TYPE_NOT_SUPPORTED},
    "INVALID_SIGNATURE_VRS": {Reason.INVALID_SENDER, Reason.MALFORMED},
    "RLP_INVALID_HEADER": {Reason.TYPE_NOT_SUPPORTED, Reason.MALFORMED},
    "INVALID_CHAINID": {Reason.WRONG_CHAIN, Reason.MALFORMED},
}
"""By the vectors' exception; every other one is about the encoding."""


def cases() -> list[Any]:
    path = vectors_dir() / "evm-codec" / "transaction-tests.json"
    return [
        pytest.param(bytes.fromhex(case["txbytes"][2:]), case["result"][max(case["result"], key=FORKS.index)], id=name)
        for folder in json.loads(path.read_text()).values()
        for name, case in folder.items()
    ]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    metafunc.parametrize(("raw", "verdict"), cases())


def test_verdict(raw: bytes, verdict: dict[str, str]) -> None:
    (result,) = PythonRecovery().recover([raw], RULES)
    exception = verdict.get("exception", "").removeprefix("TransactionException.")
    if isinstance(result, Rejected) and result.reason is Reason.UNPROTECTED:
        result = without_replay_protection(raw)
    if exception:
        assert isinstance(result, Rejected), f"accepted, but {exception}"
        if exception == "INVALID_SIGNATURE_VRS" and result.reason is Reason.INTRINSIC_GAS:
            result = with_gas_left_aside(raw)
        assert result.reason in REASON_OF.get(exception, {Reason.MALFORMED}), f"{result} for {exception}"
    else:
        assert not isinstance(result, Rejected), str(result)
        assert "0x" + result.sender.hex() == verdict["sender"]
        assert "0x" + result.hash.hex() == verdict["hash"]
        assert intrinsic_gas(result) == int(verdict["intrinsicGas"], 16)


def with_gas_left_aside(raw: bytes) -> Rejected:
    """The second fault of a case that has too little gas, too."""
    with pytest.raises(Rejected) as refused:
        transaction.recover(transaction.decode(raw))
    return refused.value


def without_replay_protection(raw: bytes) -> RecoveredTransaction | Rejected:
    """What would have happened if legacy signatures were allowed."""
    decoded = transaction.decode(raw)
    try:
        check_limits(decoded, RULES)
        return transaction.recover(decoded)
    except Rejected as refusal:
        return refusal
