"""Tools that the tests share: instances in one line, and leak checks."""

import pytest

# What differs is to be shown here as it is in a test.
pytest.register_assert_rewrite("support.beside_flux_core", "support.refused")
