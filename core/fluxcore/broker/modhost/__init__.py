"""The module host: loading, running and removing broker modules (CONTRACTS A20-A28)."""
