"""``flux submit`` and ``flux run`` (CONTRACTS D1, D2, D16)."""
