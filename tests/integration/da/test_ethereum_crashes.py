"""The campaigns of ``tests.crash.da`` on a real L1, in small."""

import pytest

from tests.crash import da as campaign


@pytest.mark.parametrize("seed", range(4))
async def test_crashes_and_reorgs_on_ethereum_leave_one_effective_copy(seed: int) -> None:
    await campaign.ethereum(seed)


async def test_reorgs_under_load_leave_the_heads_right() -> None:
    assert await campaign.reorgs(seed=0, count=6) == 6
