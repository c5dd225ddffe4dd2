"""Which of several certificates a client is shown: by the name that it asks for (RFC 6066 section 3)."""

from collections.abc import Mapping
from typing import TypeVar

from cryptography import x509
from cryptography.x509.oid import NameOID

T = TypeVar("T")


def names_of(leaf: x509.Certificate) -> list[str]:
    """The names that a certificate is good for, in lower case; `*.` begins a wildcard's."""
    try:
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        return [name.lower() for name in names.get_values_for_type(x509.DNSName)]
    except x509.ExtensionNotFound:
        return [str(name.value).lower() for name in leaf.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]


def pick(by_name: Mapping[str, T], name: str, first: T) -> T:
    """The one for a name: its own, a wildcard's, or the first."""
    name = name.lower()
    return by_name.get(name) or by_name.get("*." + name.partition(".")[2]) or first
