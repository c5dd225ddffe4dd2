"""Doors to the nodes: the data legs, the trunks on which they signal, and the probes of those without one."""
