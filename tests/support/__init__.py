"""Tools that the tests share: instances in one line, and leak checks."""
