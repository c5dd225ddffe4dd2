"""sbc: a session border controller for AI-agent sessions.

The house, from the ground up (imports go down only; docs/DESIGN.md section 3):

    model/                                  F0  frozen values, enums, errors, the seams
    core/  protocols/  config/              F1  pure machines | what messages mean | YAML text -> frozen Config
    telemetry/  wire/  tls.py               F2  metrics, logs, records | what both legs share | certificates
    transports/  nodes/  stores/  kernel/   F3  all the I/O, each wraps one outside thing
    runtime/  admin/                        F4  carries out orders; the operators' door
    supervisor/                         attic  several workers as one edge
    cli/  app.py  __main__.py               F5  arguments; build every object from Config
    sdk/  demo/                             beside it: what an agent node imports; the demo's agent

A few modules on the relay path have a compiled twin (a .pxd beside the .py). SBC_PURE=1 in the environment has the
plain .py imported even where the twin was built.
"""

import os
import sys
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_file_location
from pathlib import Path

__version__ = "0.1.0"


class _PureTwins(MetaPathFinder):
    """Finds the .py of a module of this package that was compiled too."""

    def find_spec(self, name: str, _path: object, _target: object = None) -> ModuleSpec | None:
        if not name.startswith("sbc."):
            return None
        source = Path(__file__).parent.joinpath(*name.split(".")[1:])
        if not source.with_suffix(".pxd").exists():
            return None
        if not source.with_suffix(".py").exists():
            raise ModuleNotFoundError(f"{name} is there in compiled form only", name=name)
        return spec_from_file_location(name, source.with_suffix(".py"))


if os.environ.get("SBC_PURE") == "1":
    sys.meta_path.insert(0, _PureTwins())
