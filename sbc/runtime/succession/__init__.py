"""An edge's process is replaced by another one while it serves (`sbc upgrade`): nobody is refused, no session is lost.

    predecessor                                             successor
    start: a process, with the listening sockets  ------->  reads the configuration, builds everything, sees its nodes
    accepts no more                       <---- ready ----
    ---- what it knows beside sessions ----------------->   accepts; speaks through the predecessor's trunks
    each session, when its turn is over   -------------->   sleeps there until its client is back (runtime/dormant.py)
    ends, its trunks with it                                nodes dial anew

Up to `ready` nothing has changed: a successor that fails leaves no trace but a line in the log. From then on a session
is in one process at a time: what is known of it goes over in the moment in which its connections are closed here.

    process.py words.py            how the successor is started; sessions as JSON
    upgrade.py successor.py estate.py onward.py     the predecessor's side: its end, whom it hands things to, what there
                                   is and in which order, where requests go that come to it all the same
    predecessor.py lent.py         the successor's side: from whom it has things; trunks that the predecessor holds
"""
