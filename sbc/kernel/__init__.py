"""F3: what needs a privilege over the kernel. The edge has none: it orders, over a Unix socket, and the warden, a small
process beside it, carries the orders out (docs/DESIGN.md section 5.8). pyroute2 lives only here.

    orders                      what may be asked
    ward                        the edge's side
    process  warden  work       the warden: its start, itself, and what carries one kind of orders out:
    shaping  filtering  addresses  neighbours       tc, nftables, addresses that move, and who is told of them
"""
