"""The key that signs receipts: made on first use, its public half kept beside it for whoever verifies.

`var/receipt.key` is the private key (Ed25519, PKCS 8 in PEM, mode 0600), `var/receipt.key.pub` the public one.
"""

import os
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from sbc.model.errors import SbcError


class RecordsError(SbcError):
    """A record or key file that cannot be used; says which and why."""


def public_half(key_file: Path) -> Path:
    """Where the public key of `key_file` is kept."""
    return key_file.with_name(key_file.name + ".pub")


def signing_key(key_file: Path) -> Ed25519PrivateKey:
    """The key in `key_file`; both halves are made if they are missing. Raises RecordsError."""
    try:
        if not key_file.exists():
            _make(key_file)
        key = load_pem_private_key(key_file.read_bytes(), password=None)
        if not isinstance(key, Ed25519PrivateKey):
            raise RecordsError(f"{key_file}: not an Ed25519 key")
        if not public_half(key_file).exists():
            public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
            _write(public_half(key_file), public, 0o644)
    except OSError as error:
        raise RecordsError(f"{error.filename}: {error.strerror}") from None
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise RecordsError(f"{key_file}: not an unencrypted private key in PEM") from None
    return key


def verifying_key(public_key_file: Path) -> Ed25519PublicKey:
    """The public key in `public_key_file`. Raises RecordsError."""
    try:
        key = load_pem_public_key(public_key_file.read_bytes())
    except OSError as error:
        raise RecordsError(f"{public_key_file}: {error.strerror}") from None
    except (ValueError, UnsupportedAlgorithm):
        raise RecordsError(f"{public_key_file}: not a public key in PEM") from None
    if not isinstance(key, Ed25519PublicKey):
        raise RecordsError(f"{public_key_file}: not an Ed25519 key")
    return key


def _make(key_file: Path) -> None:
    key_file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    private = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    _write(key_file, private, 0o600)


def _write(path: Path, content: bytes, mode: int) -> None:
    """Whole or not at all: a crash must not leave half a key behind that no later start could read."""
    draft = path.with_name(path.name + ".new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(descriptor)
    draft.replace(path)
