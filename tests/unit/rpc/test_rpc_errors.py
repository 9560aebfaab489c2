"""The error table: codes, and geth's words that wallets match on."""

import re

import pytest

from sequencer.core.errors import (
    TEXT,
    DeadlineExceeded,
    Defect,
    Fatal,
    Reason,
    Rejected,
    SequencerError,
    Temporary,
    Unknown,
)
from sequencer.rpc.errors import REASONS, Errors, RpcError, translate
from tests.unit.rpc.calling import error
from tests.unit.rpc.sample_chain import dispatcher, sample_backend, signed


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (Errors.PARSE, -32700),
        (Errors.INVALID_REQUEST, -32600),
        (Errors.BATCH_TOO_LARGE, -32600),
        (Errors.METHOD_NOT_FOUND, -32601),
        (Errors.NO_NOTIFICATIONS, -32601),
        (Errors.NO_SUBSCRIPTION_KIND, -32601),
        (Errors.INVALID_PARAMS, -32602),
        (Errors.INTERNAL, -32603),
        (Errors.SERVER, -32000),
        (Errors.TIMEOUT, -32002),
        (Errors.CONDITION_FAILED, -32003),
        (Errors.RESPONSE_TOO_LARGE, -32003),
        (Errors.LIMIT_EXCEEDED, -32005),
        (Errors.REVERTED, 3),
        (Errors.SYNC_TIMEOUT, 4),
        (Errors.SYNC_NOT_READY, 5),
        (Errors.SYNC_NONCE_GAP, 6),
        (Errors.PRUNED, 4444),
        (Errors.SIMULATED_NONCE_TOO_LOW, -38010),
        (Errors.SIMULATED_NONCE_TOO_HIGH, -38011),
        (Errors.SIMULATED_BASE_FEE, -38012),
        (Errors.SIMULATED_INTRINSIC_GAS, -38013),
        (Errors.SIMULATED_FUNDS, -38014),
        (Errors.SIMULATED_BLOCK_GAS, -38015),
        (Errors.SIMULATED_BLOCK_NUMBER, -38020),
        (Errors.SIMULATED_BLOCK_TIME, -38021),
        (Errors.PRECOMPILE_MOVED_TO_ITSELF, -38022),
        (Errors.PRECOMPILES_MOVED_TOGETHER, -38023),
        (Errors.SIMULATED_SENDER, -38024),
        (Errors.SIMULATED_INIT_CODE, -38025),
        (Errors.SIMULATION_TOO_LARGE, -38026),
        (Errors.SIMULATED_HALT, -32015),
    ],
)
def test_codes(kind: Errors, code: int) -> None:
    assert kind.code == code
    assert RpcError(kind).to_json()["code"] == code


def test_every_kind_is_in_the_table_above() -> None:
    assert len(Errors) == 32


@pytest.mark.parametrize("reason", Reason)
async def test_every_refusal_reaches_the_sender_in_geths_words(reason: Reason) -> None:
    backend = sample_backend()
    backend.refusal = Rejected(reason, "detail")
    answer = await error(dispatcher(backend), "eth_sendRawTransaction", "0x" + signed(9).raw.hex())
    assert answer == {"code": REASONS[reason].code, "message": f"{TEXT[reason]}: detail"}
    assert answer["code"] == -32000


@pytest.mark.parametrize(
    ("reason", "pattern"),
    [
        (Reason.NONCE_TOO_LOW, r"nonce too low"),
        (Reason.NONCE_TOO_HIGH, r"nonce too high"),
        (Reason.ALREADY_KNOWN, r"transaction already imported|already known"),
        (Reason.REPLACEMENT_UNDERPRICED, r"replacement transaction underpriced"),
        (Reason.INSUFFICIENT_FUNDS, r"insufficient funds|exceeds transaction sender account balance"),
        (Reason.INTRINSIC_GAS, r"intrinsic gas too low"),
        (Reason.GAS_LIMIT, r"exceeds block gas limit|gas limit reached"),
        (Reason.FEE_CAP_BELOW_BASE_FEE, r"max fee per gas less than block base fee"),
        (Reason.TIP_ABOVE_FEE_CAP, r"max priority fee per gas higher than max fee per gas"),
        (Reason.FEE_CAP_TOO_LARGE, r"max fee per gas higher than 2\^256-1"),
        (Reason.TYPE_NOT_SUPPORTED, r"transaction type not (valid|supported)"),
        (Reason.UNPROTECTED, r"only replay-protected"),
    ],
)
def test_libraries_recognise_the_text(reason: Reason, pattern: str) -> None:
    """The patterns are those of viem and ethers."""
    assert re.search(pattern, translate(Rejected(reason)).message)


@pytest.mark.parametrize(
    ("raised", "code", "message"),
    [
        (Rejected(Reason.POOL_FULL), -32000, "txpool is full"),
        (DeadlineExceeded("5 s"), -32002, "request timed out"),
        (Temporary("ingress is stopped"), -32000, "ingress is stopped"),
        (Unknown("inside"), -32603, "internal error"),
        (Defect("inside"), -32603, "internal error"),
        (Fatal("inside"), -32603, "internal error"),
        (SequencerError("inside"), -32603, "internal error"),
    ],
)
def test_translation(raised: SequencerError, code: int, message: str) -> None:
    translated = translate(raised)
    assert (translated.code, translated.message) == (code, message)
