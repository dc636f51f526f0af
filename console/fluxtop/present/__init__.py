"""Rows in words: presenters, which make cells of what the data layer knows. No widget here."""
