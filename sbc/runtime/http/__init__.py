"""Sessions made of HTTP exchanges.

    front  ways  asked               where a request comes in: its route's rules, who asks, which session is meant
    founder  registry  known         where sessions begin; the keys by which they are known
    session  attended  legs          one of them: its nodes' side, its clients' side, its seats
    handover  outgoing               what a new owner is told first; what a node is sent
    single                           a request that belongs to no session
    exchange  asking  upload  answer  flow  home        one request and its answer, and where it belongs
    answers  rates  lateness  waits  what the edge says itself, and when
    journal  docket  withheld        how exchanges stand in the journals, which are under way, what waits for the store
    returns  waking  revival         clients that come back; sessions and answers under way from the store
    renewal                          a fresh proof
    onward  passing                  requests whose session is at another worker or edge
"""
