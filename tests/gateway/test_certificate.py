"""`vssid certificate`: one is made where there is none, and kept; one that cannot serve is refused."""

import stat

import pytest
from click.testing import CliRunner
from cryptography import x509

from vssid.certificate import CHAIN, KEY, certificate, make


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run the command on a folder of the test."""
    monkeypatch.setenv("PUBLIC_URL", "https://dịch-vụ.vidu.example:8443")
    return lambda: CliRunner().invoke(certificate, [str(tmp_path)])


def refused(done):
    assert done.exit_code == 1
    return done.output


def contents(folder):
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def test_a_certificate_is_made_for_the_public_host_and_this_machine(run, tmp_path):
    assert run().exit_code == 0
    made = x509.load_pem_x509_certificate((tmp_path / CHAIN).read_bytes())
    names = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["xn--dch-v-q81bsh.vidu.example", "localhost"]
    assert [str(one) for one in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1"]


def test_the_key_is_its_owners_alone(run, tmp_path):
    run()
    assert stat.S_IMODE((tmp_path / KEY).stat().st_mode) == 0o600


def test_what_is_there_is_kept(run, tmp_path):
    run()
    before = contents(tmp_path)
    done = run()
    assert (done.exit_code, done.output.split(" until ")[0]) == (0, "the certificate is valid")
    assert contents(tmp_path) == before


@pytest.mark.parametrize("name", [CHAIN, KEY])
def test_one_half_alone_is_refused_and_kept(run, tmp_path, name):
    run()
    (tmp_path / name).unlink()
    before = contents(tmp_path)
    (other,) = before
    assert refused(run()) == f"Error: there is only {other}: put both {CHAIN} and {KEY} there, or neither\n"
    assert contents(tmp_path) == before


@pytest.mark.parametrize("name", [CHAIN, KEY])
def test_a_file_that_is_no_pem_is_refused(run, tmp_path, name):
    run()
    (tmp_path / name).write_text("nothing")
    assert refused(run()) == f"Error: {CHAIN} or {KEY} cannot be read: both are PEM, the key without a password\n"


def test_the_key_of_another_certificate_is_refused(run, tmp_path):
    run()
    chain = (tmp_path / CHAIN).read_bytes()
    for name in (CHAIN, KEY):
        (tmp_path / name).unlink()
    make(tmp_path, "localhost")
    (tmp_path / CHAIN).write_bytes(chain)
    assert refused(run()) == f"Error: {KEY} is not the key of the first certificate in {CHAIN}\n"


def test_a_file_that_cannot_be_opened_is_named(run, tmp_path):
    run()
    (tmp_path / KEY).unlink()
    (tmp_path / KEY).mkdir()
    assert f"{KEY}: Is a directory; it takes user " in refused(run())
