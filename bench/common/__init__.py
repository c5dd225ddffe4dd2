"""What the benches share: processes, proxies under test, certificates, the machine's facts, tables."""
