"""sbc: a session border controller for AI-agent sessions.

The house, from the ground up (imports go down only; docs/DESIGN.md section 3):

    model/                                  F0  frozen values, enums, errors, the seams
    core/  protocols/  config/              F1  pure machines | what messages mean | YAML text -> frozen Config
    telemetry/  wire/  tls.py               F2  metrics, logs, records | what both legs share | certificates
    transports/  nodes/  stores/  kernel/   F3  all the I/O, each wraps one outside thing
    runtime/  admin/                        F4  carries out orders; the operators' door
    cli/  app.py  __main__.py               F5  arguments; build every object from Config
    sdk/                                    beside it: what an agent node or a client imports
"""

__version__ = "0.1.0"
