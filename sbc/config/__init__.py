"""F1: the operators' YAML -> one frozen Config, or every fault of it at once with file:line:column.

    load.py                     all of what follows, in order
    tree.py                     text -> plain values and their places
    schema*.py                  what may be written, key by key; units.py values.py: the kinds of text in it
    check.py files.py           what is wrong between the sections and with the files they name
    explain.py faults.py        what validation found, in plain words; how a fault reads
    build.py                    the document -> Config (model.py)
    warn.py diff.py redact.py   what one asks a Config
"""

from sbc.config.diff import Changes, Delta, diff
from sbc.config.load import load, parse, text_of
from sbc.config.model import (
    Address,
    Admin,
    AdminToken,
    Certificate,
    Config,
    Edge,
    Interconnect,
    Listener,
    NodeTls,
    Pool,
    Redis,
    Role,
    SealKey,
    Tls,
    TrunkDoor,
)
from sbc.config.redact import redacted
from sbc.config.schema import json_schema
from sbc.config.warn import warnings

__all__ = [
    "Address", "Admin", "AdminToken", "Certificate", "Changes", "Config", "Delta", "Edge", "Interconnect", "Listener",
    "NodeTls", "Pool", "Redis", "Role", "SealKey", "Tls", "TrunkDoor", "diff", "json_schema", "load", "parse",
    "redacted", "text_of", "warnings",
]
