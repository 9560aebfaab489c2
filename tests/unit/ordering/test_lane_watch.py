"""The lane's holder is read once a round, before the round begins."""

from sequencer.core.types import Address, Hash32
from sequencer.lane_watch import LaneWatcher
from sequencer.ordering.lane import LaneTable, holder_slot

CONTRACT = Address(b"\xcc" * 20)


class Contract:
    """Rounds and their holders; counts how often it is read."""

    def __init__(self) -> None:
        self.holders = {holder_slot(number): bytes([number]) * 20 for number in range(1, 9)}
        self.reads: list[Hash32] = []

    async def read(self, contract: Address, slot: Hash32) -> Hash32:
        assert contract == CONTRACT
        self.reads.append(slot)
        return Hash32(self.holders.get(slot, bytes(20)).rjust(32, b"\0"))


async def test_the_present_round_at_the_start_and_each_next_one_before_it_begins() -> None:
    table, contract, now_ms = LaneTable(), Contract(), [10_500]
    watcher = LaneWatcher(table, CONTRACT, 5_000, contract.read, lambda: now_ms[0])
    await watcher.learn()
    assert (table.holder(2), table.knows(3)) == (b"\x02" * 20, False)
    now_ms[0] = 14_000
    await watcher.learn()
    assert table.holder(3) == b"\x03" * 20
    contract.holders[holder_slot(3)] = b"\xff" * 20
    now_ms[0] = 15_100
    await watcher.learn()
    assert table.holder(3) == b"\x03" * 20, "what was read before it began stands"
    assert contract.reads == [holder_slot(2), holder_slot(3)]


async def test_a_round_that_nobody_bought() -> None:
    table, contract = LaneTable(), Contract()
    await LaneWatcher(table, CONTRACT, 5_000, contract.read, lambda: 100_000).learn()
    assert (table.knows(20), table.holder(20)) == (True, None)
