"""Receipts: session records in a hash chain, so that none can be altered unnoticed (promise P7).

Each record is one line of canonical JSON (keys sorted, no spaces). The edge adds to the fields it is given:

    number      1, 2, 3, ... without a hole
    previous    the `digest` of the record before; 64 zeros for the first
    digest      hex SHA-256 over the canonical JSON of all the other fields except `signature`
    signature   base64 Ed25519 over the digest's 32 bytes (RFC 8032), if there is a key

Without a public key the chain shows every change that does not compute all later digests anew; with one it shows those
too (core/verdict.py). Pure: lines in, lines out; telemetry/records.py keeps the file.
"""

import base64
import binascii
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from sbc.model.errors import SbcError

CHAIN_FIELDS: Final = frozenset({"number", "previous", "digest", "signature"})


@dataclass(frozen=True, slots=True)
class ChainEnd:
    """Where a chain has got to: the number and the digest of its newest record."""

    number: int
    digest: str


GENESIS: Final = ChainEnd(0, "0" * 64)
"""The end of a chain without records."""


@dataclass(frozen=True, slots=True)
class Record:
    """A line that was read back and is sound in itself; whether it stands in the right place is another question."""

    number: int
    previous: str
    digest: str
    missing: int
    """How many records before this one the writer declares as lost."""

    @property
    def end(self) -> ChainEnd:
        return ChainEnd(self.number, self.digest)

    def follows(self, end: ChainEnd) -> bool:
        """Whether this is the record right behind `end`."""
        return self.number == end.number + 1 and self.previous == end.digest


class Unsound(SbcError):
    """A line that is not what was written; says why."""


class NotSigned(Unsound):
    """The line's signature is missing, or not of the key."""


class Unreadable(Unsound):
    """The line is not JSON: what is left of a record that was being written, or no record at all."""


def seal_record(previous: ChainEnd, fields: Mapping[str, Any], key: Ed25519PrivateKey | None) -> tuple[bytes, ChainEnd]:
    """The line (with its line feed) of a record behind `previous`, and the end of the chain with it.

    Raises ValueError for fields that JSON cannot express or that bear the chain's own names.
    """
    if taken := CHAIN_FIELDS & fields.keys():
        raise ValueError(f"the chain's own field names: {', '.join(sorted(taken))}")
    record = {**fields, "number": previous.number + 1, "previous": previous.digest}
    try:
        digest = hashlib.sha256(_canonical(record))
    except orjson.JSONEncodeError as error:
        raise ValueError(f"not expressible in JSON: {error}") from None
    record["digest"] = digest.hexdigest()
    if key is not None:
        record["signature"] = base64.b64encode(key.sign(digest.digest())).decode()
    return _canonical(record) + b"\n", ChainEnd(previous.number + 1, digest.hexdigest())


def read_record(line: bytes, public_key: Ed25519PublicKey | None) -> Record:
    """Judge one line (without its line feed) by itself. Raises Unreadable, NotSigned or Unsound."""
    try:
        record = orjson.loads(line)
    except orjson.JSONDecodeError:
        raise Unreadable("not JSON") from None
    match record:
        case {"number": int(number), "previous": str(previous), "digest": str(digest)}:
            pass
        case _:
            raise Unsound("not a record: number, previous or digest is missing")
    # Whoever reads JSON with a key twice may take the first or the last: only one spelling of a record is accepted.
    if not _is_canonical(record, line):
        raise Unsound("not in canonical form")
    body = {name: value for name, value in record.items() if name not in ("digest", "signature")}
    actual = hashlib.sha256(_canonical(body))
    if actual.hexdigest() != digest:
        raise Unsound("its fields do not have its digest")
    if public_key is not None:
        _check_signature(record.get("signature"), actual.digest(), public_key)
    missing = record.get("missing")
    return Record(number, previous, digest, missing if isinstance(missing, int) else 0)


def _check_signature(signature: object, digest: bytes, public_key: Ed25519PublicKey) -> None:
    if not isinstance(signature, str):
        raise NotSigned("it is not signed")
    try:
        public_key.verify(base64.b64decode(signature, validate=True), digest)
    except (InvalidSignature, binascii.Error, ValueError):
        raise NotSigned("its signature is not of this key") from None


def _canonical(record: Mapping[str, Any]) -> bytes:
    return orjson.dumps(record, option=orjson.OPT_SORT_KEYS)


def _is_canonical(record: Mapping[str, Any], line: bytes) -> bool:
    try:
        return _canonical(record) == line
    except orjson.JSONEncodeError:  # nested more deeply than is ever written
        return False
