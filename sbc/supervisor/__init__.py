"""Between hall and roof: several workers as one edge (`edge.workers`). The supervisor opens every socket, starts the
workers, sees to it that they live, and speaks for all of them; each worker is an edge of its own beside it.

    outfit.py                   what a worker is started with (wire/channel.py: what the two say from then on)
    doors.py restarts.py process.py supervisor.py       sockets, back-off, one worker's process, all of them
    upgrade.py succession.py    one supervisor's place is taken by another: the former's side, the latter's
    reloading.py switchboard.py operations.py merging.py rows.py    what holds for all, and is asked of all
    posted.py desk.py briefing.py trunks.py     the worker's side: its life, what it is asked, learns, hears of nodes
"""
