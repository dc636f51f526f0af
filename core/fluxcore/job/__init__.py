"""Job ids, jobspec, eventlogs, states, R and task maps: no IO."""
