"""``flux overlay``: the brokers of the instance (CONTRACTS A35, B8)."""
