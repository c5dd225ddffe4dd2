"""F2, what the edge tells of itself: metrics.py is the state, collector.py its exposition, logs.py the lines,
systemd.py the word to the service manager, records.py the session detail records."""
