"""A broker whose neighbours a test plays."""

import pytest

from support.overlay_rig import Rig


@pytest.fixture
def rig() -> Rig:
    return Rig()
