"""Serves the self-contained pages of this folder.

A page is one built file (``sequencer.web.build``) that carries its scripts and styles in itself, with a content
security policy that admits those and nothing else: it works from a disk as well as from here, and sends nothing
anywhere. The headers add what a ``meta`` element cannot say.
"""

from collections.abc import Awaitable, Callable, Mapping
from importlib.resources import files
from typing import Final

from aiohttp import web

Route = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]

_HEADERS: Final = {
    "Cache-Control": "no-cache",
    "Content-Security-Policy": "frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def routes() -> Mapping[str, Route]:
    """The pages by path: ``/verify`` checks a pre-confirmation in the browser."""
    return {"/verify": _page("verify.html")}


def _page(name: str) -> Route:
    body = files("sequencer.web").joinpath(name).read_bytes()

    async def respond(_request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(body=body, content_type="text/html", charset="utf-8", headers=_HEADERS)

    return respond
