"""``flux module``: broker modules (CONTRACTS A20 to A26)."""
