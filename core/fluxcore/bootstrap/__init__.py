"""How brokers find each other: PMI-1, and `flux start`, which forks them."""
