"""Which of several certificates a client is shown: by the name that it asks for (RFC 6066 section 3); and whom the
certificate names that a client shows.
"""

from collections.abc import Mapping
from typing import TypeVar
from urllib.parse import quote

from cryptography import x509
from cryptography.x509.oid import NameOID

T = TypeVar("T")

LONGEST_HOLDER = 512
_PLAIN = " !#$&'()*+,-./:;<=>?@[]^_`{|}~"
"""What a holder's name shows as it is, beside letters and digits; all else is percent-encoded."""


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


def holder_of(encoded: bytes) -> str:
    """Whom a certificate (DER) names, in printable ASCII: the first URI of its alternative names, else the first DNS
    name, else the first mail address, else its subject (RFC 4514); before it stands which of these it is, so that none
    can pass for another: `uri:`, `dns:`, `email:`, `subject:`. Empty: it names nobody whose name can be used.
    """
    try:
        leaf = x509.load_der_x509_certificate(encoded)
        kind, name = _holder(leaf)
    except ValueError:  # a name or an extension that is not as RFC 5280 has it
        return ""
    holder = f"{kind}:{quote(name, safe=_PLAIN)}"
    return holder if name and len(holder) <= LONGEST_HOLDER else ""


def _holder(leaf: x509.Certificate) -> tuple[str, str]:
    try:
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return "subject", leaf.subject.rfc4514_string()
    # A workload's identity stands in its URI, beside a subject that all workloads share.
    for kind, of in (("uri", x509.UniformResourceIdentifier), ("dns", x509.DNSName), ("email", x509.RFC822Name)):
        for name in names.get_values_for_type(of):
            return kind, str(name).lower() if kind == "dns" else str(name)
    return "subject", leaf.subject.rfc4514_string()
