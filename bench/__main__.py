"""All benches one after the other: `python -m bench [--quick]`."""

import subprocess
import sys

BENCHES = ("relay", "memory", "sessions", "scale", "handover")

sys.exit(max(subprocess.run([sys.executable, "-m", f"bench.{name}", *sys.argv[1:]], check=False).returncode
             for name in BENCHES))
