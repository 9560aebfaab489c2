"""Rendering of long lists a few items at a time, so that a large answer does not hold others up."""

import asyncio
from collections.abc import Callable, Sequence
from typing import TypeVar

import orjson

from sequencer.rpc.render.json import Json

_T = TypeVar("_T")


async def in_turns(items: Sequence[_T], render: Callable[[_T], Json], in_one_turn: int) -> list[orjson.Fragment]:
    """Each item as encoded JSON. After every ``in_one_turn`` of them others get their turn."""
    encoded: list[orjson.Fragment] = []
    for start in range(0, len(items), in_one_turn):
        if start:
            await asyncio.sleep(0)
        encoded += [orjson.Fragment(orjson.dumps(render(item))) for item in items[start : start + in_one_turn]]
    return encoded
