"""Benches of the edge beside the proxies that stand in its place today. How to run them: bench/README.md."""
