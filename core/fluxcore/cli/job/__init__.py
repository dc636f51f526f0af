"""``flux job``: one job at a time (CONTRACTS D13 to D18)."""
