"""Idsets, hostlists and resource sets: no IO."""
