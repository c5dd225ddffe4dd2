"""Where the nodes of a pool are found: each way follows one place, and reports what it finds there."""
