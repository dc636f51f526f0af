"""One broker: routing, services, attributes, log, events, module host, state machine."""
