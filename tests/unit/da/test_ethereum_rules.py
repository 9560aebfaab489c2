"""Fees, refusals and the index of references: decisions without a chain."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from da.ethereum import fees
from da.ethereum.config import EthereumConfig
from da.ethereum.fees import Market
from da.ethereum.inbox import Reference
from da.ethereum.references import CHECKPOINTS, Checkpoint, ReferenceIndex
from da.ethereum.refusals import Refusal, meaning
from da.ethereum.transaction import Fees
from sequencer.core.errors import ConfigError, Temporary
from sequencer.core.keccak import keccak256
from sequencer.core.types import Address, Hash32

GWEI = 10**9
CONFIG = EthereumConfig()
MARKET = Market(base_fee=10 * GWEI, tip=GWEI, blob_base_fee=2 * GWEI)
PRICES = st.integers(1, 600 * GWEI)


@given(PRICES, PRICES, PRICES, st.booleans())
def test_offers_keep_to_the_caps_and_replacements_beat_what_they_replace(
    base_fee: int, tip: int, blob_base_fee: int, blobs: bool
) -> None:
    market = Market(base_fee, tip, blob_base_fee)
    offer: Fees | None = fees.first_offer(market, CONFIG, blobs=blobs)
    while offer is not None:
        assert offer.tip <= offer.max_fee <= CONFIG.max_fee_wei
        assert offer.blob_fee <= CONFIG.max_blob_fee_wei
        assert bool(offer.blob_fee) == blobs
        before, offer = offer, fees.replacement(offer, market, CONFIG)
        if offer is not None:
            percent = 200 if blobs else 110
            assert 100 * offer.max_fee >= percent * before.max_fee
            assert 100 * offer.tip >= min(percent * before.tip, 100 * offer.max_fee)
            assert offer.blob_fee >= 2 * before.blob_fee


def test_blob_and_gas_prices_are_watched_apart() -> None:
    offer = fees.first_offer(MARKET, CONFIG, blobs=True)
    assert offer == Fees(21 * GWEI, GWEI, 4 * GWEI)
    assert not fees.is_passed(offer, MARKET)
    assert fees.is_passed(offer, replace(MARKET, blob_base_fee=5 * GWEI))
    assert fees.is_passed(offer, replace(MARKET, base_fee=22 * GWEI))
    assert not fees.is_passed(Fees(21 * GWEI, GWEI), replace(MARKET, blob_base_fee=5 * GWEI))


def test_fees_are_raised_by_time_and_sooner_once_the_market_has_passed_them() -> None:
    offer = fees.first_offer(MARKET, CONFIG, blobs=False)
    passed = replace(MARKET, base_fee=100 * GWEI)
    after = CONFIG.bump_after_ms
    assert not fees.bump_due(offer, passed, after - 1, CONFIG)
    assert fees.bump_due(offer, passed, after, CONFIG)
    assert not fees.bump_due(offer, MARKET, 4 * after - 1, CONFIG)
    assert fees.bump_due(offer, MARKET, 4 * after, CONFIG)


def test_auto_takes_what_is_cheaper() -> None:
    datas = [b"\x01" * 100_000] * 3
    assert fees.cheaper(MARKET, datas, 6) == "blobs"
    assert fees.cheaper(replace(MARKET, blob_base_fee=1000 * GWEI), datas, 6) == "calldata"
    assert fees.cheaper(replace(MARKET, blob_base_fee=50 * GWEI), [b"\x01" * 300], 6) == "calldata"


@pytest.mark.parametrize(
    ("text", "refusal"),
    [
        ("already known", Refusal.KNOWN),
        ("transaction already imported", Refusal.KNOWN),
        ("nonce too low: next nonce 5, tx nonce 3", Refusal.NONCE_USED),
        ("replacement transaction underpriced: new tx gas fee cap 1 < 2", Refusal.PRICE),
        ("max fee per gas less than block base fee", Refusal.PRICE),
        ("insufficient funds for gas * price + value: have 0", Refusal.FUNDS),
        ("oversized data", Refusal.TOO_LARGE),
        ("address already reserved", Refusal.OTHER),
    ],
)
def test_refusals(text: str, refusal: Refusal) -> None:
    assert meaning(text) is refusal


@pytest.mark.parametrize("settings", [{"url": ""}, {"url": "ws://x"}, {"beacon_url": "x"}])
def test_addresses_must_be_http(settings: dict[str, str]) -> None:
    with pytest.raises(ConfigError):
        EthereumConfig(**settings)  # type: ignore[arg-type]


def reference(index: int, block: int, branch: str = "") -> Reference:
    commitment = keccak256(f"blob {index}".encode())
    block_hash = keccak256(f"{block}{branch}".encode())
    return Reference(
        index, Hash32(bytes(32)), 1, block, commitment, Address(bytes(20)), block, block_hash, index, Hash32(bytes(32))
    )


def tip(block: int, branch: str = "") -> Checkpoint:
    return Checkpoint(block, keccak256(f"{block}{branch}".encode()))


def test_references_go_with_their_blocks_and_come_back_elsewhere() -> None:
    index = ReferenceIndex(tip(0))
    index.extend([reference(0, 2)], tip(3))
    index.extend([reference(1, 4), reference(2, 5)], tip(6))
    assert index.at(4, reference(1, 4).commitment) == reference(1, 4)
    assert index.drop_top()
    assert [each.index for each in index.references] == [0]
    assert index.at(4, reference(1, 4).commitment) is None
    index.extend([reference(1, 6, "b")], tip(7, "b"))
    assert index.at(6, reference(1, 6).commitment) == reference(1, 6, "b")
    assert index.drop_top()
    assert index.drop_top()
    assert not index.drop_top()


@pytest.mark.parametrize(
    "found", [[reference(2, 4)], [reference(1, 4), reference(3, 5)], [reference(1, 3)], [reference(1, 9)]]
)
def test_a_node_that_leaves_references_out_is_noticed(found: list[Reference]) -> None:
    index = ReferenceIndex(tip(0))
    index.extend([reference(0, 2)], tip(3))
    with pytest.raises(Temporary, match="left out"):
        index.extend(found, tip(8))


def test_the_index_stays_small_and_keeps_what_is_not_settled() -> None:
    index = ReferenceIndex(tip(0))
    for block in range(1, 3 * CHECKPOINTS):
        index.extend([reference(block - 1, block)], tip(block))
        index.settle(block - 70)
    assert len(index.references) <= CHECKPOINTS + 1
    assert index.start <= index.finalized
    assert index.references[0].block_number == index.start + 1
