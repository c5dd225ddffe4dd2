"""HTTP/3 on QUIC, without I/O: the engine's interface, and the two engines behind it."""
