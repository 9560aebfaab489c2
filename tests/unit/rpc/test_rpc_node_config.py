"""``eth_config``, ``eth_capabilities``, and state at ``latest``."""

import zlib
from dataclasses import replace

import pytest

from sequencer.core.chain_spec import ForkTime
from sequencer.core.types import Hash32
from sequencer.rpc.methods.eth_node import fork_id
from sequencer.testing.backend import MemoryBackend
from tests.unit.rpc.calling import result
from tests.unit.rpc.sample_chain import SPEC, USER, dispatcher, sample_backend

MAINNET = Hash32(bytes.fromhex("d4e56740f876aef8c010b86a40d5f56745a118d0906a34e69aec8c0db1cb8fa3"))
ADDRESS = "0x" + USER.hex()


def with_forks(*forks: ForkTime) -> MemoryBackend:
    backend = sample_backend()
    backend.spec = replace(SPEC, forks=forks)
    return backend


async def test_the_fork_schedule_is_told() -> None:
    genesis = sample_backend().blocks[0].header.timestamp
    backend = with_forks(ForkTime("cancun", 0), ForkTime("prague", genesis + 1), ForkTime("osaka", genesis + 1_000))
    answer = await result(dispatcher(backend), "eth_config")
    assert [answer[when]["activationTime"] for when in ("current", "next", "last")] == [
        genesis + 1,
        genesis + 1_000,
        genesis + 1_000,
    ]
    assert "BLS12_G1ADD" in answer["current"]["precompiles"]
    assert "P256VERIFY" not in answer["current"]["precompiles"]
    assert answer["next"]["precompiles"]["P256VERIFY"] == "0x" + "00" * 18 + "0100"
    assert set(answer["current"]["systemContracts"]) == {"BEACON_ROOTS_ADDRESS", "HISTORY_STORAGE_ADDRESS"}
    assert answer["current"]["forkId"] != answer["next"]["forkId"]


async def test_a_chain_without_later_forks_has_no_next() -> None:
    answer = await result(dispatcher(with_forks(ForkTime("prague", 0))), "eth_config")
    assert (answer["next"], answer["last"]) == (None, None)
    assert answer["current"]["forkId"] == f"0x{zlib.crc32(sample_backend().genesis_hash):08x}"


@pytest.mark.parametrize(
    ("times", "expected"),
    [([], "fc64ec04"), ([1_150_000], "97c2c34c"), ([1_150_000, 1_920_000, 1_920_000], "91d1f948")],
)
def test_fork_ids_are_those_of_eip_2124(times: list[int], expected: str) -> None:
    assert fork_id(MAINNET, times).hex() == expected


@pytest.mark.parametrize("preconfirmed", [True, False])
@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("eth_getBalance", [ADDRESS]),
        ("eth_getCode", [ADDRESS]),
        ("eth_getStorageAt", [ADDRESS, "0x0"]),
        ("eth_getStorageValues", [{ADDRESS: ["0x0"]}]),
        ("eth_call", [{"to": ADDRESS}]),
        ("eth_createAccessList", [{"to": ADDRESS}]),
    ],
)
async def test_state_at_latest_is_pre_confirmed_unless_set_otherwise(
    method: str, params: list[object], preconfirmed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = sample_backend()
    seen: list[object] = []
    for name in ("accounts", "code", "storage", "call", "create_access_list"):
        read = getattr(backend, name)

        async def noted(*arguments: object, read: object = read) -> object:
            seen.extend(each for each in arguments if each == "pending" or type(each) is int)
            return await read(*arguments)  # type: ignore[operator]

        monkeypatch.setattr(backend, name, noted)
    served = dispatcher(backend, preconfirmed_latest=preconfirmed)
    await result(served, method, *params)
    await result(served, method, *params, "latest")
    latest = "pending" if preconfirmed else 3
    assert seen[0] == latest
    assert seen.count(latest) == 2
    await result(served, method, *params, "0x2")
    assert 2 in seen
