"""F5, the command line (docs/DESIGN.md section 5.1): main.py is the entry, local.py the verbs that need no running
edge, operate.py those that ask one over its admin API (edge.py), receipts.py the auditor's; show.py prints."""
