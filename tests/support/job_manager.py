"""Jobs to ask the job manager about, and what it says when it refuses."""

import os
from typing import Any

import pytest

from support.job_instance import JobInstance, error_of

UID = os.getuid()
#: A job that runs until it is killed.
FOREVER = {"exec": {"test": {"run_duration": -1}}}
#: The flag of a job that may be waited for.
WAITABLE = 4


async def fails(inst: JobInstance, method: str, payload: dict[str, Any] | None = None) -> Any:
    """The errno and text that a method of the job manager fails with."""
    with pytest.raises(OSError) as caught:
        await inst.rpc(f"job-manager.{method}", payload)
    return error_of(caught.value)
