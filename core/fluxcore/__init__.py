"""A Flux instance in Python: wire protocol, handle, broker, overlay, modules and commands."""

__version__ = "0.1.0"
