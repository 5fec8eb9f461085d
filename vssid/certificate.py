"""`vssid certificate`: the certificate of the proxy, the operator's own or one made here."""

import ipaddress
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import click
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from shared import settings

CHAIN, KEY = "fullchain.pem", "privkey.pem"  # the names that ACME clients give them
VALID = timedelta(days=3650)  # nothing renews it; nobody trusts it for its date


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
def certificate(folder: Path) -> None:
    """Check the certificate and the key in FOLDER; make both, for the host of PUBLIC_URL, where there is neither."""
    try:
        found = {file.name for file in folder.iterdir()} & {CHAIN, KEY}
        if not found:
            make(folder, urlsplit(settings.read().public).hostname or "localhost")
        elif len(found) == 1:
            raise click.ClickException(f"there is only {found.pop()}: put both {CHAIN} and {KEY} there, or neither")
        click.echo(f"the certificate is valid until {valid_until(folder):%Y-%m-%d}")
    except OSError as error:
        raise click.ClickException(f"{error.filename}: {error.strerror}; it takes user {os.geteuid()}") from None


def valid_until(folder: Path) -> datetime:
    """Return when the certificate in a folder ends; one that has ended still serves, as nothing else would.

    Raises:
        click.ClickException: it is none, or its key is not the one beside it.
    """
    try:
        first = x509.load_pem_x509_certificates((folder / CHAIN).read_bytes())[0]
        key = serialization.load_pem_private_key((folder / KEY).read_bytes(), password=None)
    except (ValueError, TypeError):
        raise click.ClickException(
            f"{CHAIN} or {KEY} cannot be read: both are PEM, the key without a password"
        ) from None
    if key.public_key() != first.public_key():
        raise click.ClickException(f"{KEY} is not the key of the first certificate in {CHAIN}")
    return first.not_valid_after_utc


def make(folder: Path, host: str) -> None:
    """Make a key, and a certificate for a host and this machine that the key itself signs."""
    key = ec.generate_private_key(ec.SECP256R1())
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    _write(folder / KEY, private, 0o600)
    _write(folder / CHAIN, self_signed(key, host).public_bytes(pem), 0o644)


def self_signed(key: ec.EllipticCurvePrivateKey, host: str) -> x509.Certificate:
    """Return a certificate for a host, localhost and 127.0.0.1."""
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "VssID")])
    names = [_general_name(one) for one in sorted({host, "localhost", "127.0.0.1"})]
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now + VALID)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host.encode("idna").decode())


def _write(file: Path, content: bytes, mode: int) -> None:
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as written:
        written.write(content)
