"""The files that a configuration names, as far as they must be there before it is used.

The one place of this floor that touches the disk, and it only reads: a configuration whose certificate does not load
is a faulty one, and must be found out before anything is built from it.
"""

import json
import ssl
import stat
from pathlib import Path
from typing import Final

from sbc.config.faults import Wrong

FILE_LIMIT: Final = 4 * 1024 * 1024
"""Bytes of a file that is read."""


def content(path: str) -> bytes:
    """What stands in a file. Raises Wrong."""
    right = "a file that this process may read"
    if "\0" in path:
        raise Wrong("not a file", right)
    try:
        status = Path(path).stat()
        # A pipe or a device could keep us waiting for ever.
        if not stat.S_ISREG(status.st_mode):
            raise Wrong("not a file", right)
        if status.st_size > FILE_LIMIT:
            raise Wrong(f"a file of {status.st_size} bytes", f"at most {FILE_LIMIT}")
        return Path(path).read_bytes()
    except OSError as error:
        raise Wrong(f"cannot be read: {error.strerror}", right) from None


def check_secret(path: str) -> None:
    """Whether a secret stands there. Raises Wrong."""
    if not content(path).strip():
        raise Wrong("an empty file", "a file that holds the secret")


def check_jwks(path: str) -> None:
    """Whether the keys of an issuer stand there. Raises Wrong."""
    text = content(path)
    try:
        written = json.loads(text)
    except ValueError:
        written = None
    if not isinstance(written, dict) or not isinstance(written.get("keys"), list):
        raise Wrong("not a JWKS", 'a JSON object with the list "keys" (RFC 7517 section 5)')


def check_certificate(path: str) -> None:
    """Whether a certificate chain stands there. Raises Wrong."""
    _check_certificates(path, "a PEM file, the leaf first")


def check_authorities(path: str) -> None:
    """Whether certificates of authorities stand there. Raises Wrong."""
    _check_certificates(path, "a PEM file with the certificates of authorities")


def _check_certificates(path: str, right: str) -> None:
    pem = content(path)
    try:
        # What stands between the PEM blocks is comment, in whatever encoding.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_verify_locations(cadata=pem.decode("ascii", "ignore"))
    except (ValueError, ssl.SSLError) as error:
        raise Wrong(f"not a certificate: {_reason(error)}", right) from None


def check_key(certificate: str, path: str) -> None:
    """Whether the key of a certificate that is good stands there. Raises Wrong."""
    content(path)

    def refuse() -> str:
        # OpenSSL would ask on the terminal otherwise.
        raise ValueError("it has a pass phrase")

    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, path, refuse)
    except (ValueError, OSError) as error:
        mismatch = isinstance(error, ssl.SSLError) and error.reason == "KEY_VALUES_MISMATCH"
        what = "the key of another certificate" if mismatch else f"not a private key: {_reason(error)}"
        raise Wrong(what, "a PEM file with the key of the certificate, without a pass phrase") from None


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        return (error.reason or "unknown").replace("_", " ").lower()
    return str(error)
