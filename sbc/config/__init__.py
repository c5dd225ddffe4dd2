"""F1: the operators' YAML -> one frozen Config, or every fault of it at once with file:line:column.

    load                        all of what follows, in order
    tree  walk                  text -> plain values and their places; looking things up in them
    schema  schema_*  section   what may be written, key by key; units  values  store_url: the kinds of text in it
    check  check_*  files       what is wrong between the sections and with the files they name
    explain  faults             what validation found, in plain words; how a fault reads
    build                       the document -> Config (model)
    warn  unsafe  diff  redact  what one asks a Config; portion: one worker's part of it
    listed                      lists of nodes in files of their own
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
