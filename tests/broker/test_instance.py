"""A whole instance: it comes up, answers and goes down without a trace."""

import pytest

from support.instance import NO_RC


@pytest.mark.parametrize("size", [1, 4])
async def test_local_instance(local_instance, size):
    async with local_instance(size, setattrs=NO_RC) as inst, await inst.connect(size - 1) as flux:
        assert await flux.attr("size") == str(size)
        assert await flux.attr("rank") == str(size - 1)
