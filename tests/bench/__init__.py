"""Measurements beside flux-core: ``python -m tests.bench [NAME ...]``. Never part of the tests."""
