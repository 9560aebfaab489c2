"""What the five checks say, and when a check is open."""

import json
from dataclasses import replace

import pytest

from sequencer.core.flashblock import Check
from sequencer.core.membership import SequencerInfo, SequencerSet
from sequencer.core.types import Address, Hash32
from sequencer.preconf.verify import CHECKS, KnownChain, PostedPlace, known_chain, utc, verify, verify_json
from tests.preconfirmations import CHAIN, DOMAIN, OTHER_KEY, SEQUENCER, doctored, sample, sample_json

HONEST = json.dumps(sample_json())
DUE = sample().signed.flashblock.post_by
BLOCK = sample().signed.flashblock.block_number
KEPT = PostedPlace(DUE + 10**6, BLOCK + 3, batch=9, struct_hash=sample().signed.flashblock.struct_hash)


def test_with_nothing_else_at_hand_two_checks_stay_open() -> None:
    report = verify_json(HONEST)
    assert report.valid
    assert not report.proven
    assert [(check.name, check.reason) for check in report.checks] == [
        ("signature", ""),
        ("member", "not checked: no sequencer set at hand"),
        ("order", ""),
        ("outcome", ""),
        ("posted", "not checked: no data availability layer at hand"),
    ]


def test_with_set_and_layer_everything_is_proven() -> None:
    report = verify_json(HONEST, chain=CHAIN, posted=KEPT)
    assert report.proven
    assert report.preconfirmation == sample()
    assert report.to_json() == {"valid": True, "checks": [{"name": name, "ok": True, "reason": ""} for name in CHECKS]}
    assert report.strict() == report


def test_strict_counts_open_checks_as_failing() -> None:
    report = verify_json(HONEST, chain=CHAIN).strict()
    assert not report.valid
    assert [check.name for check in report.checks if not check.ok] == ["posted"]


@pytest.mark.parametrize("transactions", [1, 2, 3, 4, 5, 7, 8, 9])
def test_every_place_of_every_small_flashblock_verifies(transactions: int) -> None:
    for index in range(transactions):
        assert verify(sample(transactions, index, first_position=11), chain=CHAIN, posted=None).valid


@pytest.mark.parametrize("case", doctored(sample_json()), ids=lambda case: case.name)
def test_every_doctored_promise_is_refused_without_any_help(case) -> None:
    report = verify_json(case.text)
    assert not report.valid
    assert (report.preconfirmation is not None) == case.well_formed
    assert [check.name for check in report.checks] == list(CHECKS)
    if not case.well_formed:
        assert all(check.reason.startswith("malformed: ") for check in report.checks)
        assert report.checks[0].reason.isprintable()


@pytest.mark.parametrize(
    ("chain", "reason"),
    [
        (replace(CHAIN, domain=replace(DOMAIN, chain_id=1)), "made for another chain: domain.chainId differs"),
        (
            replace(CHAIN, domain=replace(DOMAIN, verifying_contract=Address(bytes(20)))),
            "made for another chain: domain.verifyingContract differs",
        ),
        (
            replace(CHAIN, domain=replace(DOMAIN, genesis_hash=Hash32(bytes(32)))),
            "made for another chain: domain.salt differs",
        ),
        (
            replace(CHAIN, sequencers=replace(CHAIN.sequencers, epoch=4)),
            "the sequencer set at hand is of epoch 4, the promise of epoch 0",
        ),
        (
            KnownChain(DOMAIN, SequencerSet(0, (SequencerInfo(Address(bytes(20)), SEQUENCER),))),
            f"0x{SEQUENCER.hex()} is not in the sequencer set",
        ),
    ],
    ids=["chain id", "contract", "genesis", "epoch", "outsider"],
)
def test_a_signer_is_a_member_of_one_chain_at_one_epoch(chain: KnownChain, reason: str) -> None:
    assert verify(sample(), chain=chain).checks[1] == Check("member", False, reason)


def test_an_outsiders_promise_is_sound_and_still_refused() -> None:
    report = verify(sample(key=OTHER_KEY), chain=CHAIN)
    assert [check.name for check in report.checks if not check.ok] == ["member"]


def test_an_outsider_cannot_name_a_member_as_signer() -> None:
    promise = sample(key=OTHER_KEY)
    report = verify(replace(promise, signed=replace(promise.signed, signer=SEQUENCER)), chain=CHAIN)
    assert [check.name for check in report.checks if not check.ok] == ["signature"]


@pytest.mark.parametrize(
    ("place", "ok", "reason"),
    [
        (KEPT, True, ""),
        (PostedPlace(DUE, BLOCK - 1), True, f"the layer ends with block 1845, and block 1846 is due by {utc(DUE)}"),
        (PostedPlace(DUE + 1, 1845), False, f"the layer ends with block 1845, and block 1846 is due by {utc(DUE)}"),
        (PostedPlace(0, BLOCK, batch=9), False, "batch 9 has the block without this flashblock"),
        (
            PostedPlace(0, BLOCK, batch=9, struct_hash=Hash32(b"\x07" * 32)),
            False,
            "batch 9 has another flashblock in its place: 0x" + "07" * 32,
        ),
    ],
    ids=["kept", "not due yet", "overdue", "left out", "replaced"],
)
def test_what_stands_on_the_layer(place: PostedPlace, ok: bool, reason: str) -> None:
    assert verify(sample(), posted=place).checks[4] == Check("posted", ok, reason)


def test_times_beyond_the_calendar_stay_numbers() -> None:
    assert utc(1_780_003_600) == "2026-05-28 21:26:40 UTC"
    assert utc(2**64 - 1) == "18446744073709551615"


def test_what_a_node_states_about_its_chain() -> None:
    members = {"epoch": "0x0", "quorum": "0x1", "members": [_member()]}
    assert known_chain({"domain": DOMAIN.to_json(), "name": "devnet"}, members) == CHAIN


def _member() -> dict[str, str]:
    return {"address": "0x" + SEQUENCER.hex(), "feeRecipient": "0x" + SEQUENCER.hex()}


@pytest.mark.parametrize(
    ("config", "members", "fault"),
    [
        (None, {"epoch": "0x0", "members": []}, "domain: not an object"),
        ({"domain": DOMAIN.to_json()}, None, "sequencers: no epoch and members"),
        ({"domain": DOMAIN.to_json()}, {"epoch": "0x0", "members": ["0x"]}, "members[0]: not an object"),
        ({"domain": DOMAIN.to_json()}, {"epoch": 0, "members": []}, "epoch: not a hex quantity of at most 64 bits"),
        ({"domain": DOMAIN.to_json()}, {"members": [{}]}, "members[0].address: not 20 bytes of hex"),
    ],
)
def test_a_node_that_states_nonsense_is_not_believed(config: object, members: object, fault: str) -> None:
    with pytest.raises(ValueError, match=f"^{fault}$".replace("[", r"\[")):
        known_chain(config, members)
