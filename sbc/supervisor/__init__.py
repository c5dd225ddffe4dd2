"""Between hall and roof: several workers as one edge (`edge.workers`). The supervisor opens every socket, starts the
workers, sees to it that they live, and speaks for all of them; each worker is an edge of its own beside it.

    outfit.py channel.py        what a worker is started with; what the two say to each other from then on
    doors.py restarts.py worker.py supervisor.py        sockets, back-off, one worker's process, all of them
    desk.py                     the worker's side: what it does when it is asked
"""
