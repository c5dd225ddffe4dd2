"""Fuzzers: one Subject for each parser that reads what a stranger says. docs/FUZZING.md."""
