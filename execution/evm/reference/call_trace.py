"""geth's ``callTracer``: the frames of an execution as a tree, in geth's JSON."""

from dataclasses import dataclass, field

import orjson

from execution.evm.reference.transition import Execution
from execution.evm.reference.watched import WatchedWorld
from execution.evm.reference.watcher import Allowance, Frame, FrameEnd, Watcher
from sequencer.core.encoding import data, quantity
from sequencer.core.receipt import Log
from sequencer.core.revert import revert_reason


@dataclass(slots=True)
class _Node:
    """A frame, and what happened in it."""

    frame: Frame
    end: FrameEnd | None = None
    logs: list[dict[str, object]] = field(default_factory=list)
    calls: list["_Node"] = field(default_factory=list)
    destroyed: tuple[bytes, bytes, int] | None = None


class CallTrace(Watcher):
    """Records every frame, within an allowance for what it holds."""

    def __init__(self, *, only_top_call: bool, with_log: bool) -> None:
        self._only_top_call = only_top_call
        self._with_log = with_log
        self._root: _Node | None = None
        self._open: list[_Node] = []
        self._logs = 0
        self._allowance = Allowance()

    def enter(self, frame: Frame, gas_left: int) -> None:  # noqa: ARG002
        self._allowance.take(len(frame.data) + _FRAME_BYTES)
        node = _Node(frame)
        if self._open:
            self._open[-1].calls.append(node)
        else:
            self._root = node
        self._open.append(node)

    def leave(self, end: FrameEnd) -> None:
        self._allowance.take(len(end.output))
        self._open.pop().end = end

    def log(self, log: Log) -> None:
        if self._with_log:
            self._allowance.take(len(log.data) + _FRAME_BYTES)
            node = self._open[-1]
            node.logs.append(
                {
                    "address": data(log.address),
                    "topics": [data(topic) for topic in log.topics],
                    "data": data(log.data),
                    "position": quantity(len(node.calls)),
                    "index": quantity(self._logs),
                }
            )
            self._logs += 1

    def destroy(self, account: bytes, beneficiary: bytes, balance_wei: int) -> None:
        self._open[-1].destroyed = (account, beneficiary, balance_wei)

    def text(self, done: Execution, gas_limit: int, world: WatchedWorld) -> str:  # noqa: ARG002
        """The trace, whose outermost frame is the transaction."""
        if self._root is None:
            return "{}"
        whole: dict[str, object] = {"gas": quantity(gas_limit), "gasUsed": quantity(done.gas_used)}
        if self._only_top_call:
            return orjson.dumps(_fields(self._root, logs_stand=_succeeded(self._root)) | whole).decode()
        return _written(self._root, whole)


_FRAME_BYTES = 512
"""About what a frame takes in JSON beside its data, and more than a log does."""


def _written(root: _Node, whole: dict[str, object]) -> str:
    """The tree as text, without recursion: frames may be nested deeper than serializers go."""
    pieces: list[str] = []
    ahead: list[str | tuple[_Node, bool]] = [(root, True)]
    while ahead:
        item = ahead.pop()
        if isinstance(item, str):
            pieces.append(item)
            continue
        node, logs_stand = item
        logs_stand = logs_stand and _succeeded(node)
        fields = _fields(node, logs_stand=logs_stand) | (whole if node is root else {})
        inner: list[str | tuple[_Node, bool]] = [(call, logs_stand) for call in node.calls]
        if node.destroyed is not None:
            inner.append(orjson.dumps(_destruction(*node.destroyed)).decode())
        if not inner:
            pieces.append(orjson.dumps(fields).decode())
            continue
        pieces.append(orjson.dumps(fields).decode()[:-1] + ',"calls":[')
        ahead.append("]}")
        for at, each in enumerate(reversed(inner), 1 - len(inner)):
            ahead.append(each)
            if at:
                ahead.append(",")
    return "".join(pieces)


def _succeeded(node: _Node) -> bool:
    return node.end is not None and node.end.succeeded


def _fields(node: _Node, *, logs_stand: bool) -> dict[str, object]:
    frame, end = node.frame, node.end or FrameEnd(0, b"")
    fields: dict[str, object] = {
        "type": frame.kind,
        "from": data(frame.sender),
        "gas": quantity(frame.gas),
        "gasUsed": quantity(frame.gas - end.gas_left),
        "input": data(frame.data),
    }
    if end.succeeded or not frame.creates:
        fields["to"] = data(frame.to)
    if frame.kind != "STATICCALL":
        fields["value"] = quantity(frame.value)
    if end.output:
        fields["output"] = data(end.output)
    if not end.succeeded:
        fields["error"] = end.halt or "execution reverted"
    if end.reverted and (reason := revert_reason(end.output)):
        fields["revertReason"] = reason
    if logs_stand and node.logs:
        fields["logs"] = node.logs
    return fields


def _destruction(account: bytes, beneficiary: bytes, balance_wei: int) -> dict[str, object]:
    """geth tells of it as of a call."""
    return {
        "type": "SELFDESTRUCT",
        "from": data(account),
        "to": data(beneficiary),
        "value": quantity(balance_wei),
        "gas": "0x0",
        "gasUsed": "0x0",
        "input": "0x",
    }
