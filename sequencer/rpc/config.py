"""Settings of the JSON-RPC server. Sizes in bytes, times in seconds or milliseconds as the names say."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

_POSITIVE: Final[Mapping[str, int]] = {"minimum": 1}
_DEADLINE: Final[Mapping[str, float]] = {"minimum": 0.05}


@dataclass(frozen=True, slots=True, kw_only=True)
class RpcConfig:
    """Defaults suit a public endpoint; a development chain raises the batch limits."""

    host: str = "127.0.0.1"
    """Address to listen on."""
    port: int = 8545
    """Port to listen on; 0 takes any free one."""
    client_version: str = ""
    """What ``web3_clientVersion`` answers; name and version of this software when empty."""

    cors_origins: tuple[str, ...] = ("*",)
    """Origins whose pages may read answers and open WebSockets; ``*`` for all. No credentials are ever used."""
    allowed_hosts: tuple[str, ...] = ("localhost",)
    """Names accepted in the Host header besides IP addresses; ``*`` accepts all. Guards against DNS rebinding."""

    connection_limit: int = field(default=4_000, metadata=_POSITIVE)
    """Open connections in all; when reached, those that never sent a request make room."""
    connection_limit_per_ip: int = 0
    """Open connections of one address; 0 for no limit."""
    rate_limit_per_ip: int = 10_000
    """Weight of the requests that one address may send a second (see the method table); 0 for no limit."""
    rate_burst_s: float = field(default=10.0, metadata={"minimum": 1})
    """For how long an address that was quiet may send all at once what it may send in that time."""
    trusted_proxies: tuple[str, ...] = ()
    """Addresses of reverse proxies, whose X-Forwarded-For header says who the client is."""
    header_timeout_s: float = field(default=10.0, metadata=_DEADLINE)
    """From the start of a connection or request to its complete header."""
    body_timeout_s: float = field(default=30.0, metadata=_DEADLINE)
    """From the complete header to the complete body."""
    idle_timeout_s: float = field(default=120.0, metadata=_DEADLINE)
    """How long an HTTP connection may stay open without a request."""
    write_timeout_s: float = field(default=30.0, metadata=_DEADLINE)
    """How long a client may leave an answer unread."""
    stop_timeout_s: float = 5.0
    """How long requests in flight may take to finish when the server stops."""

    body_limit_bytes: int = field(default=5 * 1024 * 1024, metadata=_POSITIVE)
    """Largest HTTP request body."""
    response_limit_bytes: int = field(default=25 * 1000 * 1000, metadata=_POSITIVE)
    """Largest response, single or batch."""
    gzip_threshold_bytes: int = 8 * 1024
    """Responses from this size on are compressed for clients that accept it."""
    batch_limit: int = field(default=100, metadata=_POSITIVE)
    """Requests in one batch."""
    batch_cost_limit: int = field(default=1_000, metadata=_POSITIVE)
    """Summed weight of the requests in one batch (see the method table)."""

    call_slots: int = field(default=8, metadata=_POSITIVE)
    """Calls and estimates that run at once; more wait."""
    trace_slots: int = field(default=2, metadata=_POSITIVE)
    """Traces that run at once."""
    log_slots: int = field(default=2, metadata=_POSITIVE)
    """Log queries that run at once."""
    read_slots: int = field(default=64, metadata=_POSITIVE)
    """Reads of state and of whole blocks that run at once."""
    waiting_limit: int = 1_000
    """Requests that may wait for a slot of each kind; more are refused."""
    send_limit: int = field(default=20_000, metadata=_POSITIVE)
    """Transactions in admission at once; more are refused."""
    sync_send_limit: int = field(default=10_000, metadata=_POSITIVE)
    """Callers that wait in ``eth_sendRawTransactionSync`` at once; more are refused."""

    preconfirmed_latest: bool = True
    """State at ``latest`` includes what is pre-confirmed (ADR 003); without, it is that of the last sealed block."""
    call_gas_cap: int = field(default=50_000_000, metadata=_POSITIVE)
    """Most gas that a call or estimate may use."""
    call_timeout_s: float = field(default=5.0, metadata=_DEADLINE)
    """Longest that a call or estimate may run."""
    trace_timeout_s: float = field(default=10.0, metadata=_DEADLINE)
    """Longest that a trace may run."""
    proof_range_limit: int = 1_000
    """How many blocks back ``eth_getProof`` goes; older proofs cost what changed since."""
    log_range_limit: int = field(default=100_000, metadata=_POSITIVE)
    """Blocks that one log query may span."""
    log_timeout_s: float = field(default=10.0, metadata=_DEADLINE)
    """Longest that a log query may run."""
    log_result_limit: int = field(default=20_000, metadata=_POSITIVE)
    """Logs that one query may return."""
    pool_content_limit: int = field(default=10_000, metadata=_POSITIVE)
    """Transactions in the pool up to which ``txpool_content`` lists them all."""
    fee_history_limit: int = field(default=1_024, metadata=_POSITIVE)
    """Blocks in one ``eth_feeHistory``."""
    fee_sample_blocks: int = field(default=20, metadata=_POSITIVE)
    """Recent blocks that fee suggestions look at."""
    minimum_tip_wei: int = 1_000_000
    """Least priority fee per gas that is suggested."""
    maximum_tip_wei: int = 10 * 10**9
    """Most priority fee per gas that is suggested, whatever others paid."""

    filter_limit: int = field(default=1_000, metadata=_POSITIVE)
    """Installed filters; when reached, new ones are refused."""
    filter_timeout_s: float = 300.0
    """How long a filter lives without being polled."""
    filter_results_limit: int = field(default=10_000, metadata=_POSITIVE)
    """Transaction hashes that a pending-transaction filter keeps between polls; the oldest go first."""

    sync_timeout_ms: int = field(default=2_000, metadata=_POSITIVE)
    """How long ``eth_sendRawTransactionSync`` waits unless told otherwise (EIP-7966)."""
    sync_timeout_limit_ms: int = field(default=30_000, metadata=_POSITIVE)
    """The longest it may be told to wait."""

    ws_connection_limit: int = field(default=500, metadata=_POSITIVE)
    """Open WebSockets."""
    ws_frame_limit_bytes: int = field(default=1024 * 1024, metadata=_POSITIVE)
    """Largest incoming WebSocket message."""
    ws_subscription_limit: int = field(default=100, metadata=_POSITIVE)
    """Subscriptions of one WebSocket."""
    ws_queue_limit: int = field(default=4_096, metadata=_POSITIVE)
    """Messages that may wait for a slow reader before it is dropped."""
    ws_queue_limit_bytes: int = field(default=32 * 1024 * 1024, metadata=_POSITIVE)
    """Bytes that may wait for a slow reader before it is dropped."""
    ws_in_flight_limit: int = field(default=64, metadata=_POSITIVE)
    """Requests of one WebSocket that are worked on at once; reading pauses meanwhile."""
    ws_ping_interval_s: float = field(default=30.0, metadata=_DEADLINE)
    """How often an idle WebSocket is pinged; without a pong it is closed."""
