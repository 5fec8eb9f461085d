"""Certificates of a test's own authority, good and bad."""

import datetime as dt
import ipaddress
import ssl
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

DAY = dt.timedelta(days=1)
CRITICAL = (x509.BasicConstraints, x509.KeyUsage)
SIGNS_CERTIFICATES = x509.KeyUsage(
    key_cert_sign=True,
    crl_sign=True,
    **dict.fromkeys(
        ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement"), False
    ),
    encipher_only=False,
    decipher_only=False,
)


class Signer:
    """A name and its key."""

    def __init__(self, name: str) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])

    def sign(self, other: "Signer", valid_for: dt.timedelta, *extensions: x509.ExtensionType) -> bytes:
        """Return a certificate of another's key, or of the own, as PEM; Python 3.13 is strict."""
        now = dt.datetime.now(dt.UTC)
        builder = x509.CertificateBuilder(self.name, other.name, other.key.public_key(), x509.random_serial_number())
        builder = builder.not_valid_before(now - 10 * DAY).not_valid_after(now + valid_for)
        theirs = x509.SubjectKeyIdentifier.from_public_key(other.key.public_key())
        ours = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key())
        for extension in (theirs, ours, *extensions):
            builder = builder.add_extension(extension, critical=isinstance(extension, CRITICAL))
        return builder.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    def pem(self) -> bytes:
        plain = serialization.NoEncryption()
        return self.key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)


class Authority:
    """Signs the certificates of servers; ``file`` has its own, for SSL_CERT_FILE."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._signer = folder, Signer("An authority of the tests")
        self.file = folder / "authority.pem"
        own = x509.BasicConstraints(ca=True, path_length=0), SIGNS_CERTIFICATES
        self.file.write_bytes(self._signer.sign(self._signer, DAY, *own))

    def server(self, host: str, valid_for: dt.timedelta = DAY, *, self_signed: bool = False) -> ssl.SSLContext:
        """Return the context of a server whose certificate names ``host``; a time below zero is over."""
        own, file = Signer(host), self._folder / "server.pem"
        certificate = (own if self_signed else self._signer).sign(own, valid_for, _alternative(host))
        file.write_bytes(certificate + own.pem())
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(file)
        return context


def _alternative(host: str) -> x509.SubjectAlternativeName:
    try:
        return x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(host))])
    except ValueError:
        return x509.SubjectAlternativeName([x509.DNSName(host)])
