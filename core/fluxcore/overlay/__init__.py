"""The TBON: topology, peers and health without IO, and the ZeroMQ shell around them."""
