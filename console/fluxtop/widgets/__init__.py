"""The pieces that panes are made of; each knows nothing of Flux."""
