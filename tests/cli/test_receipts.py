"""`sbc receipts verify`, on chains that were really written."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from sbc.core.receipt import GENESIS, seal_record
from tests.cli.command import sbc


@pytest.fixture
def chain(tmp_path: Path) -> tuple[Path, Path]:
    """Three signed records, and the public key."""
    key, end, lines = Ed25519PrivateKey.generate(), GENESIS, []
    for number in range(3):
        line, end = seal_record(end, {"session": f"s{number}"}, key)
        lines.append(line)
    file, public = tmp_path / "records.jsonl", tmp_path / "key.pub"
    file.write_bytes(b"".join(lines))
    public.write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return file, public


async def test_an_unbroken_chain(chain: tuple[Path, Path]) -> None:
    file, public = chain
    ran = await sbc("receipts", "verify", file, "--key", public)
    assert ran.status == 0
    assert ran.out.splitlines()[0] == f"{file}: 3 records, unbroken (signatures checked)"
    assert "signatures not checked" in (await sbc("receipts", "verify", file)).out


async def test_an_altered_record(chain: tuple[Path, Path]) -> None:
    file, _ = chain
    file.write_bytes(file.read_bytes().replace(b'"s1"', b'"s7"'))
    ran = await sbc("receipts", "verify", file)
    assert (ran.status, ran.out) == (1, "")
    assert ran.complaint.startswith(f"{file}: line 2: altered")


async def test_a_torn_end_is_a_crash_and_no_crime(chain: tuple[Path, Path]) -> None:
    file, _ = chain
    file.write_bytes(file.read_bytes()[:-5])
    ran = await sbc("receipts", "verify", file)
    assert ran.status == 0
    assert "line 3: not written to its end" in ran.complaint


async def test_files_that_are_not_there(tmp_path: Path, chain: tuple[Path, Path]) -> None:
    ran = await sbc("receipts", "verify", tmp_path / "none")
    assert (ran.status, ran.complaint) == (1, f"sbc: {tmp_path / 'none'}: No such file or directory")
    ran = await sbc("receipts", "verify", chain[0], "--key", chain[0])
    assert ran.status == 1
    assert "not a public key" in ran.complaint
