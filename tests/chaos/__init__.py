"""Whole systems in network namespaces while everything goes wrong, from a seed; and a judge of what was recorded.

    make chaos SEED=7 SECONDS=120        python -m tests.chaos --seed 7 --seconds 120 [--keep DIRECTORY]

    cast.py      who plays, and how the edges are built: drawn from the seed
    faults.py    what goes wrong when, from the seed       scenarios.py  the same, written by hand
    net.py       a namespace for each host, links that are cut and healed, hosts that roam
    actors.py edges.py  the processes on the hosts (Redis, Sentinels, edges, nodes, clients), and what edges are told
    stage.py     a run from its beginning to its end       strikes.py  carries one fault out
    doors.py     what is asked of edges and Redis          __main__.py   from the seed to the verdict
    node.py      agent nodes; plain ones are tests/support/node_plain.py
    clients.py talker.py asker.py  clients, of WebSockets and of requests; carriers.py requests.py  what carries those
    judge.py told.py owned.py troubles.py  the verdict on the history: pure, with tests of their own
    tally.py     what a run has done: one in which nothing happened has failed

A seed says who plays, what goes wrong when and to whom, and what each client would like to say at which edge: with the
same seed all that is the same. What is not: how far everybody has come when a fault strikes, for processes are
scheduled and packets carried as it happens; which of two servers is the master then; and which sessions an edge lists
first, as those are what it is told to move. So a seed replays the faults of a failure; whether they hit the same moment
is a matter of a few tries, and the history (`--keep`) is what says what happened. On a busy machine faults last longer,
and more of them come together.

In every third seed edges have two workers, every fifth has a Redis Cluster (else a server, its replica and three
Sentinels), every seventh a shared address that is the only one clients know, every other one an interconnect.
"""
