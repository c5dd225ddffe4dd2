"""F1, the workshop's heart: pure machines. They are told facts and answer with orders; no I/O, no clock, no logging."""
