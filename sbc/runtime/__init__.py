"""F4, the hall: carries out what the machines order. It owns the tasks, the timers and the live dialogs.

    hall.py        the live sessions, and the reception of clients       tasks.py   the only maker of tasks
    session.py     one session: its dialog, its links, its orders       clerk.py   journals -> store
    fleet.py       the nodes: trunks, probes, health                    sweep.py   pings, idle limits, loop lag
    pace.py turn.py burst.py   many handovers at a time
    reload.py      a new configuration, or the old one                  rules.py   what it says of sessions
    operations.py  what operators may ask (admin/ is a skin over it)    server.py  start, serve, stop
"""
