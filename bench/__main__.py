"""All benches one after the other: `python -m bench [--quick]`."""

import subprocess
import sys

BENCHES = ("relay", "requests", "streams", "quic", "memory", "idle", "sessions", "scale", "handover",
           "streams_handover", "bindings", "durability", "edge_death", "plan")

sys.exit(max(subprocess.run([sys.executable, "-m", f"bench.{name}", *sys.argv[1:]], check=False).returncode
             for name in BENCHES))
