"""geth's ``prestateTracer``: the state that an execution found, or what it changed of it (``diffMode``)."""

from dataclasses import dataclass

import orjson

from execution.evm.reference.transition import Execution
from execution.evm.reference.watched import WatchedWorld
from execution.evm.reference.watcher import Allowance, Watcher
from execution.evm.reference.world import NEW_ACCOUNT, Account
from sequencer.core.encoding import data

_Json = dict[str, object]
_ZERO_WORD = data(bytes(32))


@dataclass(frozen=True, slots=True)
class StateTrace(Watcher):
    """Needs to be told of nothing: the world notes what it is asked for."""

    differences: bool
    with_code: bool
    with_storage: bool

    def text(self, done: Execution, gas_limit: int, world: WatchedWorld) -> str:  # noqa: ARG002
        """The trace, by address."""
        found = dict(world.accounts_before)
        allowance = Allowance()
        allowance.take(256 * len(found) + 160 * sum(map(len, world.slots_before.values())))
        view = _View(world, self, allowance)
        if self.differences:
            return orjson.dumps(_changed(view, found)).decode()
        return orjson.dumps(
            {data(address): view.before(address) for address in sorted(found) if _is_there(found[address])}
        ).decode()


def _is_there(account: Account | None) -> bool:
    return account is not None and not account.is_empty


@dataclass(frozen=True, slots=True)
class _View:
    """Accounts as the trace shows them."""

    world: WatchedWorld
    wanted: StateTrace
    allowance: Allowance

    def before(self, address: bytes, *, changed_only: bool = False) -> _Json:
        """The account as it was found, with the slots that were asked for, or only those that changed."""
        slots = self.world.slots_before.get(address, {})
        shown = {slot: value for slot, value in slots.items() if not changed_only or value != self._now(address, slot)}
        return self._shown(self.world.accounts_before[address], shown)

    def after(self, address: bytes) -> _Json:
        """The account as it is, with the slots that changed."""
        slots = self.world.slots_before.get(address, {})
        now = {slot: self._now(address, slot) for slot in slots}
        return self._shown(self.world.peek(address), {slot: now[slot] for slot in slots if now[slot] != slots[slot]})

    def _now(self, address: bytes, slot: int) -> int:
        return self.world.get_storage(address, slot)

    def _shown(self, account: Account | None, slots: dict[int, int]) -> _Json:
        account = account or NEW_ACCOUNT
        fields: _Json = {"balance": hex(account.balance)}
        if account.nonce:
            fields["nonce"] = account.nonce
        if self.wanted.with_code and (code := self.world.code_with_hash(account.code_hash)):
            self.allowance.take(len(code))
            fields["code"] = data(code)
        if self.wanted.with_storage and slots:
            fields["storage"] = {_word(slot): _word(slots[slot]) for slot in sorted(slots)}
        return fields


def _changed(view: _View, found: dict[bytes, Account | None]) -> _Json:
    """What was before and is after, where that differs: without accounts that were made before, and those that ended
    after."""
    pre, post = {}, {}
    for address in sorted(found):
        before, gone = view.before(address, changed_only=True), address in view.world.gone
        after = view.after(address)
        if before == after and not gone:
            continue
        _without_zeros(before)
        _without_zeros(after)
        if _is_there(found[address]) or address not in view.world.made:
            pre[data(address)] = before
        if not gone:
            for name in ("balance", "nonce", "code"):
                if after.get(name) == before.get(name):
                    after.pop(name, None)
            post[data(address)] = after
    return {"pre": pre, "post": post}


def _without_zeros(account: _Json) -> None:
    storage = account.get("storage")
    if isinstance(storage, dict):
        for key in [key for key, value in storage.items() if value == _ZERO_WORD]:
            del storage[key]
        if not storage:
            del account["storage"]


def _word(value: int) -> str:
    return data(value.to_bytes(32, "big"))
