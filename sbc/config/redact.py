"""The configuration in force as JSON values, without what leads to a secret."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from ipaddress import IPv4Network, IPv6Network
from typing import Any, Final

from sbc.config.model import Address, AdminToken, Certificate, Config, Interconnect, Redis, SealKey, TrunkDoor
from sbc.model.identity import ApiKeys
from sbc.model.policy import Rewrite
from sbc.model.route import SessionKey

HIDDEN: Final = "***"

# Who may only read, or is asked for nothing, does not learn where the keys lie either.
_SECRETS: Final = {AdminToken: {"sha256"}, SealKey: {"file"}, Certificate: {"key"}, TrunkDoor: {"secret_file"},
                   Redis: {"password_file", "sentinel_password_file", "key"}, Rewrite: {"added"},
                   Interconnect: {"key"}}


def redacted(config: Config) -> dict[str, Any]:
    """Everything in force, defaults too; durations in seconds, sizes in bytes."""
    shown: dict[str, Any] = _plain(config)
    return shown


def _plain(value: Any) -> Any:
    match value:
        case ApiKeys():
            return {"header": value.header.decode(), "names": sorted(set(value.names.values()))}
        case SessionKey():
            return {"source": value.source.value, "name": value.name}
        case Address() | IPv4Network() | IPv6Network():
            return str(value)
        case Enum():
            return value.value
        case Mapping():
            return {_plain(key): _plain(entry) for key, entry in value.items()}
        case tuple() | list():
            return [_plain(entry) for entry in value]
        case bytes():
            return value.decode()
        case frozenset():
            return sorted(entry.decode() for entry in value)
        case _ if is_dataclass(value):
            return {field.name: _hidden(value, field.name) for field in fields(value) if field.init}
        case _:
            return value


def _hidden(value: Any, name: str) -> Any:
    entry = getattr(value, name)
    return HIDDEN if entry is not None and name in _SECRETS.get(type(value), ()) else _plain(entry)
