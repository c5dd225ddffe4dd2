"""Whole systems in network namespaces while everything goes wrong, from a seed; and a judge of what was recorded.

    python -m tests.chaos --seed 7 --seconds 120

    faults.py    what goes wrong when, from a seed         scenarios.py  the same, written by hand
    net.py       a namespace for each host, links that are cut and healed
    cast.py      the processes on the hosts: Redis, Sentinels, edges, nodes, clients
    stage.py     carries the faults out                     __main__.py   one run, from its beginning to the verdict
    node.py plain.py  agent nodes       talker.py asker.py clients.py  clients, of WebSockets and of requests
    judge.py told.py owned.py           the verdict on the history: pure, with tests of their own
"""
