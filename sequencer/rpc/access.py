"""Who may talk to the server from a browser: Host and Origin checks, and the CORS headers. Pure."""

from collections.abc import Collection, Mapping
from functools import lru_cache
from ipaddress import ip_address
from typing import Final

from sequencer.rpc.config import RpcConfig

ANY: Final = "*"


class AccessRules:
    """The decisions, made once from the configuration.

    The Host check is what stops DNS rebinding: a page of a foreign name whose address was switched to this
    machine still sends its own name. Addresses are always fine, since no page's name resolves to them.
    """

    def __init__(self, config: RpcConfig) -> None:
        self._hosts = frozenset(host.lower() for host in config.allowed_hosts)
        self._origins = frozenset(origin.lower().rstrip("/") for origin in config.cors_origins)
        self._any_origin = ANY in self._origins

    def host_allowed(self, header: str | None) -> bool:
        """``Host`` names this server. Clients older than HTTP/1.1 send none."""
        if not header or ANY in self._hosts:
            return True
        name = header.rsplit(":", 1)[0] if not header.endswith("]") else header
        name = name.strip("[]").rstrip(".").lower()
        return name in self._hosts or _is_address(name)

    def origin_allowed(self, origin: str | None) -> bool:
        """A page of this origin may connect. Programs that are not browsers send none."""
        return origin is None or self._any_origin or origin.lower().rstrip("/") in self._origins

    def cors_headers(self, origin: str | None) -> Mapping[str, str]:
        """Headers that let the page read the answer; none when it may not."""
        if origin is None or not self.origin_allowed(origin):
            return {}
        if self._any_origin:
            return _ANY_ORIGIN
        return {"Access-Control-Allow-Origin": origin, "Vary": "Origin"}

    def preflight_headers(self, origin: str | None, *, private_network: bool) -> Mapping[str, str]:
        """The answer to a preflight; none of it when the origin may not."""
        allowed = self.cors_headers(origin)
        if not allowed:
            return {}
        headers = {
            **allowed,
            "Access-Control-Allow-Methods": "POST, GET, OPTIONS",
            "Access-Control-Allow-Headers": "content-type, accept",
            "Access-Control-Max-Age": "600",
        }
        if private_network:
            headers["Access-Control-Allow-Private-Network"] = "true"
        return headers


_ANY_ORIGIN: Final[Mapping[str, str]] = {"Access-Control-Allow-Origin": ANY}


def client_address(peer: str, forwarded_for: str, trusted_proxies: Collection[str]) -> str:
    """Who is at the other end: the peer itself, or whom the nearest proxy that is not ours says it speaks for.

    ``forwarded_for`` is the X-Forwarded-For header. Anyone can send one, so it counts only from a trusted proxy, and
    only as far from its end as trusted proxies have written it.
    """
    client = peer
    hops = [hop.strip() for hop in forwarded_for.split(",")]
    while client in trusted_proxies and hops:
        hop = hops.pop()
        if not _is_address(hop):
            break
        client = hop
    return client


@lru_cache(256)
def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True
