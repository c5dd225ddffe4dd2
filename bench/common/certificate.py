"""One certificate for all proxies, and one TLS 1.3 cipher, so that none wins by negotiating a cheaper one."""

import ssl
from dataclasses import dataclass
from pathlib import Path

import trustme

CIPHER = "TLS_AES_256_GCM_SHA384"


@dataclass(frozen=True, slots=True)
class Certificate:
    """Files: `both` is certificate and key in one, as HAProxy wants it; `openssl` is the load's OPENSSL_CONF."""

    cert: Path
    key: Path
    both: Path
    authority: Path
    openssl: Path


def issue(folder: Path) -> Certificate:
    """A certificate (ECDSA P-256) for `localhost` and 127.0.0.1."""
    authority = trustme.CA()
    issued = authority.issue_cert("localhost", "127.0.0.1")
    made = Certificate(folder / "tls.crt", folder / "tls.key", folder / "tls.pem", folder / "ca.crt",
                       folder / "openssl.cnf")
    made.cert.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    made.key.write_bytes(issued.private_key_pem.bytes())
    made.both.write_bytes(made.cert.read_bytes() + made.key.read_bytes())
    authority.cert_pem.write_to_path(str(made.authority))
    # Python 3.11 cannot choose TLS 1.3 ciphers; OpenSSL's own configuration can.
    made.openssl.write_text(f"openssl_conf = a\n[a]\nssl_conf = b\n[b]\nsystem_default = c\n[c]\n"
                            f"Ciphersuites = {CIPHER}\n")
    return made


def client_context(authority: str) -> ssl.SSLContext:
    """TLS 1.3, trusting the bench's own authority alone."""
    context = ssl.create_default_context(cafile=authority)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    return context
