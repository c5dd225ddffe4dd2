"""F2, what the edge tells of itself.

    metrics  collector          what is counted; its exposition for Prometheus
    logs                        the lines of the log
    records  recordfile  signing        the record of each session: made, written, signed
    systemd  memory             words to the service manager; how much memory there is
"""
