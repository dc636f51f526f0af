"""A handle without IO."""

import pytest

from support.handle_wire import Wire


@pytest.fixture
def wire() -> Wire:
    return Wire()
