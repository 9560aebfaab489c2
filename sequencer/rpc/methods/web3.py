"""``web3_*``."""

from sequencer.core import encoding
from sequencer.core.keccak import keccak256
from sequencer.rpc import params
from sequencer.rpc.chain import ServedChain
from sequencer.rpc.methods.method import Method
from sequencer.rpc.params import Parameter


def client_version(chain: ServedChain) -> str:
    """Name and version of this software."""
    return chain.client_version


def sha3(_: ServedChain, content: bytes) -> str:
    """Keccak-256."""
    return encoding.data(keccak256(content))


METHODS = (
    Method("web3_clientVersion", client_version),
    Method("web3_sha3", sha3, (Parameter("data", params.data),)),
)
