"""HTTP/2 without I/O, for both legs: an engine interface with two engines behind it, and the budget of a connection."""
