"""F0, the foundation: the vocabulary of docs/DESIGN.md section 2 as frozen values. Standard library only."""
