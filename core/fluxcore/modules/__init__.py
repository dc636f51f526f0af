"""The broker modules, a file or folder each."""
