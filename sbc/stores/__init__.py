"""Where bindings, checkpoints and journals are kept: one interface (model/interfaces.py), one test suite."""
