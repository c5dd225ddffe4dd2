"""F4, the hall: carries out what the machines order. It owns the tasks, the timers and the live dialogs.

    the edge        server (start, serve, stop)  opening  departure (clients are sent away)
                    tasks (the only maker of tasks)  sweep (pings, idle limits, lag)  rounds (once a second)
                    succession/ (an upgrade)  directory (of its Unix sockets)
    sessions        hall (all of them, and who comes in)  house (what each needs of it)  session (what both kinds share)
                    websocket/  http/  signalling (their orders, as messages)  record (how they ended)
    handovers       turn  pace  burst (many at a time)  movers (drains)  watchman (slow nodes)
    room            usher (lets new ones in)  relief (pressure)
    the store       clerk (journals go there)  dormant (what it gave back)
    nodes           fleet  wanted (which there are to be)  finders (those that are found)  node_words  concerned
    configuration   reload (whole or not at all)  rules  seals  network (marks, shaping)
    identity        authorities  keysources (issuers' keys)  review (who has to go)  constable (who misbehaves)
    workers, edges  census (what workers count together)  fellows (the other edges)  siblings  afar (sessions elsewhere)
                    interconnect  arrivals  crossing (the way to them, and from them)  anchor (a shared address)
    operators       operations (what they may ask)  figures (at a scrape)  trouble (how loudly it is logged)
"""
