"""F3, client side: one file for each transport, and the listeners they stand on."""
