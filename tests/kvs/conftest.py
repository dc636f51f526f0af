"""A hash tree to commit to and look up in."""

import pytest

from support.kvs_store import Store


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def new_store() -> type[Store]:
    return Store
