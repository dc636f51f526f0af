"""``flux jobs``: a table of jobs (CONTRACTS D12, D17)."""
