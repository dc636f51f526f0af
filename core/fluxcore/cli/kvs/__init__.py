"""``flux kvs``: the key-value store (CONTRACTS C1 to C9)."""
