"""``eth_config`` and ``eth_capabilities``: which rules are in force when, and what data the node keeps."""

import zlib
from typing import Final

from sequencer.core.chain_spec import FORKS, ChainSpec, ForkTime
from sequencer.core.encoding import data, quantity
from sequencer.core.types import Hash32
from sequencer.rpc.chain import ServedChain
from sequencer.rpc.errors import Errors, RpcError
from sequencer.rpc.methods.method import Method
from sequencer.rpc.render.json import Json

_BLOBS: Final = {
    "cancun": {"target": 3, "max": 6, "baseFeeUpdateFraction": 3_338_477},
    "prague": {"target": 6, "max": 9, "baseFeeUpdateFraction": 5_007_716},
    "osaka": {"target": 6, "max": 9, "baseFeeUpdateFraction": 5_007_716},
}
"""EIP-4844, EIP-7691. The rules count blobs, though this chain takes no transaction that carries one."""
_PRECOMPILES: Final = {
    "cancun": {
        "ECREC": 0x01,
        "SHA256": 0x02,
        "RIPEMD160": 0x03,
        "ID": 0x04,
        "MODEXP": 0x05,
        "BN254_ADD": 0x06,
        "BN254_MUL": 0x07,
        "BN254_PAIRING": 0x08,
        "BLAKE2F": 0x09,
        "KZG_POINT_EVALUATION": 0x0A,
    },
    "prague": {
        "BLS12_G1ADD": 0x0B,
        "BLS12_G1MSM": 0x0C,
        "BLS12_G2ADD": 0x0D,
        "BLS12_G2MSM": 0x0E,
        "BLS12_PAIRING_CHECK": 0x0F,
        "BLS12_MAP_FP_TO_G1": 0x10,
        "BLS12_MAP_FP2_TO_G2": 0x11,
    },
    "osaka": {"P256VERIFY": 0x100},
}
"""What each fork added, under the names of EIP-7910."""
_SYSTEM_CONTRACTS: Final = {
    "cancun": {"BEACON_ROOTS_ADDRESS": "0x000f3df6d732807ef1319fb7b8bb8522d0beac02"},
    "prague": {"HISTORY_STORAGE_ADDRESS": "0x0000f90827f1c53a10cb7a02335b175320002935"},
}
"""EIP-4788, EIP-2935. A rollup block carries no withdrawals and no requests, so their contracts do not exist."""


def config(chain: ServedChain) -> Json:
    """The rules in force at the head, the next ones, and the last that are known (EIP-7910)."""
    backend = chain.backend
    genesis, head = backend.header(0), backend.header(backend.heads.unsafe.number)
    if genesis is None or head is None:
        raise RpcError(Errors.PRUNED)
    forks = backend.spec.forks
    current = [fork for fork in forks if fork.timestamp <= head.timestamp][-1]
    later = [fork for fork in forks if fork.timestamp > head.timestamp]

    def rendered(fork: ForkTime | None) -> Json | None:
        return None if fork is None else _fork_config(backend.spec, fork, backend.genesis_hash, genesis.timestamp)

    return {
        "current": rendered(current),
        "next": rendered(later[0] if later else None),
        "last": rendered(later[-1] if later else None),
    }


def capabilities(chain: ServedChain) -> Json:
    """From which block on each kind of data is kept: all of it, for as long as the chain lives."""
    head = chain.backend.heads.unsafe
    everything: Json = {"disabled": False, "oldestBlock": "0x0"}
    return {
        "head": {"number": quantity(head.number), "hash": data(head.hash)},
        **dict.fromkeys(("state", "tx", "logs", "receipts", "blocks", "stateproofs"), everything),
    }


def _fork_config(spec: ChainSpec, fork: ForkTime, genesis_hash: Hash32, genesis_time: int) -> Json:
    until = FORKS[: FORKS.index(fork.name) + 1]
    precompiles = {name: number for each in until for name, number in _PRECOMPILES[each].items()}
    contracts = {name: address for each in until for name, address in _SYSTEM_CONTRACTS.get(each, {}).items()}
    times = [each.timestamp for each in spec.forks if genesis_time < each.timestamp <= fork.timestamp]
    return {
        "activationTime": fork.timestamp,
        "blobSchedule": _BLOBS[fork.name],
        "chainId": quantity(spec.chain_id),
        "forkId": data(fork_id(genesis_hash, times)),
        "precompiles": {name: data(number.to_bytes(20, "big")) for name, number in sorted(precompiles.items())},
        "systemContracts": contracts,
    }


def fork_id(genesis_hash: Hash32, times: list[int]) -> bytes:
    """CRC-32 of the genesis hash and the times of the forks that came after it (EIP-2124, EIP-6122)."""
    checksum = zlib.crc32(genesis_hash)
    for time in sorted(set(times)):
        checksum = zlib.crc32(time.to_bytes(8, "big"), checksum)
    return checksum.to_bytes(4, "big")


METHODS = (
    Method("eth_config", config),
    Method("eth_capabilities", capabilities),
)
