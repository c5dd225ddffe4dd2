"""F1, the workshop's heart: pure machines. They are told facts and answer with orders; no I/O, no clock, no logging.

    a session       dialog (its state, as data)  transitions (what it does with each event: `receive` is the way in)
                    seating (an owner)  move (another one, planned)  standby (a warm one)  presence (of the client)
                    resumption (from where a new owner goes on)  ending
    its messages    relay (the per-message path)  journal  frames (of WebSockets)  octets  hearing (who is told)
    its requests    exchange (how far one has come, and its fate)  forwarding  fields  rewriting  relocation  veil
                    (what becomes of their heads)  keys (where a session's key stands)
    who comes in    screening (the judgement)  routing  access  provenance (behind which proxies)
                    authority  tokens  certificates (who it is)  seal (session tokens)
                    revocations (what is good no more)  hearsay (what other edges ordered)
    room            admission (take, wait or shed)  shares  lists (who waits)  pressure  rates  meter  turnstile
                    abuse (sources that misbehave)
    the nodes       roster (all of them)  placement  ledger (their seats)  health  ceiling (slow ones)
                    discovery  slices (those that are found)
    several edges   tenure (until when one may own what)  floating (who has a shared address)  homes (which worker)
    the record      receipt (its chain)  verdict (on one)

Hot ones have a compiled twin: a .pxd beside the .py, or a .pyx of the same name with `_` before it.
"""
