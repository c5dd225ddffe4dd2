"""The keys that session tokens are sealed with: read, and made on first start."""

import os
from collections.abc import Sequence
from pathlib import Path

from sbc.config import SealKey
from sbc.core.seal import KEY_BYTES, Seal


def load_seal(keys: Sequence[SealKey], once: bytes) -> Seal:
    """The seal of a configuration; once: the key of one without keys (`key_for_once`). Raises OSError."""
    if not keys:
        return Seal({"once": once})
    return Seal({key.id: _read_or_make(Path(key.file)) for key in keys})


def key_for_once() -> bytes:
    """A key that lives as long as the edge."""
    return os.urandom(KEY_BYTES)


def _read_or_make(path: Path) -> bytes:
    try:
        key = bytes.fromhex(path.read_text().strip())
    except FileNotFoundError:
        return _make(path)
    except ValueError:
        raise OSError(f"{path}: not a seal key: {KEY_BYTES} bytes in hexadecimal are needed") from None
    if len(key) != KEY_BYTES:
        raise OSError(f"{path}: a seal key has {KEY_BYTES} bytes, this one {len(key)}")
    return key


def _make(path: Path) -> bytes:
    key = os.urandom(KEY_BYTES)
    path.parent.mkdir(parents=True, exist_ok=True)
    # Exclusive and unreadable for others from its first moment on.
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(key.hex() + "\n")
    return key
