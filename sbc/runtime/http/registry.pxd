# A twin without types: every request looks its session up.
