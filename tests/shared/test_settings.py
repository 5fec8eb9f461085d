"""The environment is read once, typed, and refused by name where it is wrong."""

import dataclasses
import os
import subprocess
import sys

import limits
import pytest

from shared import settings
from shared.settings import Settings, SettingsError, split_keys
from shared.storage.seals import new_key
from tests.support.processes import free_port


def test_an_empty_environment_gives_the_defaults():
    assert settings.read({}) == Settings()


def test_an_empty_value_is_as_good_as_none():
    assert settings.read({"HTTP_PORT": "", "WORKERS": "  ", "SMS_ACCENTS": ""}) == Settings()


def test_values_take_the_type_of_their_setting():
    read = settings.read(
        {"HTTP_PORT": " 9000 ", "DECLARATION_DAYS": "0.5", "SMS_ACCENTS": "1", "VAR_DIR": "/srv/kho ảnh"}
    )
    assert (read.http_port, read.declaration_days, read.sms_accents) == (9000, 0.5, True)
    assert read.var_dir == "/srv/kho ảnh"


RATE = "it takes a number and a period, such as 600/minute"
KEYS = "it takes keys of `vssid key`, newest first, a space between two"
CARRIERS = "it takes twilio://, smtp://, smtps:// and file: URLs, a space between two"
DELAYS = "it takes seconds, at most 1000000, with a comma between two, such as 5,30,120"
SECONDS = "it takes seconds above 0, at most 1000000"
BASE_URL = "http://host/path or https://host/path, without user, password or query"
# (setting, value, what is said of it); a secret value is not shown
FAULTS = [
    ("AMQP_URL", "http://x", "AMQP_URL is not usable: it takes amqp://user:password@host:port/"),
    ("AMQP_URL", "amqp://", "AMQP_URL is not usable: it takes amqp://user:password@host:port/"),
    ("AMQP_URL", "amqp://host:port/", "AMQP_URL is not usable: it takes amqp://user:password@host:port/"),
    (
        "DATABASE_URL",
        "mysql://u:p@db/x",
        "DATABASE_URL is not usable: it takes postgresql://user:password@host:port/name",
    ),
    ("STORE_URL", "ftp://x", "STORE_URL='ftp://x' is not usable: it takes file:///folder or s3://bucket/prefix"),
    ("STORE_URL", "s3://", "STORE_URL='s3://' is not usable: it takes file:///folder or s3://bucket/prefix"),
    ("BROKER_PREFIX", "a b", "BROKER_PREFIX='a b' is not usable: it takes up to 100 of a-z, A-Z, 0-9 and . _ : -"),
    ("HTTP_HOST", "http://x", "HTTP_HOST='http://x' is not usable: it takes an address or a host name"),
    ("HTTP_PORT", "eight", "HTTP_PORT='eight' is not usable: it takes a whole number from 1 to 65535"),
    ("HTTP_PORT", "99999", "HTTP_PORT='99999' is not usable: it takes a whole number from 1 to 65535"),
    ("PUBLIC_URL", "http://a b", "PUBLIC_URL='http://a b' is not usable: it takes http://host or https://host"),
    ("MAIL_URL", "smtp://a b", "MAIL_URL is not usable: it takes smtp://host:port, smtps://host:port or file:DIR"),
    ("PUBLIC_URL", "localhost", "PUBLIC_URL='localhost' is not usable: it takes http://host or https://host"),
    ("TRUSTED_PROXIES", "-1", "TRUSTED_PROXIES='-1' is not usable: it takes a whole number from 0 to 100"),
    (
        "SMS_URL",
        "http://x",
        f"SMS_URL is not usable: {CARRIERS}",
    ),
    (
        "SMS_URL",
        "file:out http://x",
        f"SMS_URL is not usable: {CARRIERS}",
    ),
    ("MAIL_URL", "mail:25", "MAIL_URL is not usable: it takes smtp://host:port, smtps://host:port or file:DIR"),
    ("MAIL_FROM", "BHXH", "MAIL_FROM='BHXH' is not usable: it takes address@domain or Name <address@domain>"),
    ("SMS_ACCENTS", "some", "SMS_ACCENTS='some' is not usable: it takes 1 or 0"),
    ("CARRIER_TIMEOUT", "inf", f"CARRIER_TIMEOUT='inf' is not usable: {SECONDS}"),
    ("SETTLE_AFTER", "nan", f"SETTLE_AFTER='nan' is not usable: {SECONDS}"),
    ("REGISTER_URL", "ftp://", f"REGISTER_URL is not usable: it takes {BASE_URL}"),
    ("REGISTER_URL", "https://user:mat-khau@register.example", f"REGISTER_URL is not usable: it takes {BASE_URL}"),
    ("REGISTER_URL", "https://register.example/?v=1", f"REGISTER_URL is not usable: it takes {BASE_URL}"),
    ("REGISTER_TOKEN", "a b", "REGISTER_TOKEN is not usable: it takes letters, digits and - . _ ~ + / ="),
    ("SEAL_KEY", "short", f"SEAL_KEY is not usable: {KEYS}"),
    ("SEAL_KEY", f"{new_key()},short", f"SEAL_KEY is not usable: {KEYS}"),
    ("SEAL_KEY", "khoá", f"SEAL_KEY is not usable: {KEYS}"),
    ("LINK_KEY", "short", f"LINK_KEY is not usable: {KEYS}"),
    ("RATE_LIMITS", "maybe", "RATE_LIMITS='maybe' is not usable: it takes on or off"),
    ("LIMIT_READING", "lots", f"LIMIT_READING='lots' is not usable: {RATE}"),
    ("LIMIT_PHONE", "0/day", f"LIMIT_PHONE='0/day' is not usable: {RATE}"),
    ("LIMIT_HOOKS", "5/fortnight", f"LIMIT_HOOKS='5/fortnight' is not usable: {RATE}"),
    ("RATE_LIMIT_STORE", "nonsense", "RATE_LIMIT_STORE is not usable: it takes memory:// or redis://host:port"),
    (
        "RETRY_DELAYS",
        "1,x",
        f"RETRY_DELAYS='1,x' is not usable: {DELAYS}",
    ),
    (
        "RETRY_DELAYS",
        "-1",
        f"RETRY_DELAYS='-1' is not usable: {DELAYS}",
    ),
    ("RPC_DEADLINE", "0", f"RPC_DEADLINE='0' is not usable: {SECONDS}"),
    ("RPC_DEADLINE", "1,8", f"RPC_DEADLINE='1,8' is not usable: {SECONDS}"),
    ("WORKERS", "-1", "WORKERS='-1' is not usable: it takes a whole number from 1 to 1000"),
    ("WORKERS", "2.5", "WORKERS='2.5' is not usable: it takes a whole number from 1 to 1000"),
    ("GATEWAY_WORKERS", "0", "GATEWAY_WORKERS='0' is not usable: it takes a whole number from 1 to 100000"),
    ("DATABASE_TIMEOUT", "1e300", f"DATABASE_TIMEOUT='1e300' is not usable: {SECONDS}"),
    ("RETRY_DELAYS", "5,1e300", f"RETRY_DELAYS='5,1e300' is not usable: {DELAYS}"),
    ("DECLARATION_DAYS", "0", "DECLARATION_DAYS='0' is not usable: it takes days above 0, at most 36500"),
    ("DECLARATION_DAYS", "1e300", "DECLARATION_DAYS='1e300' is not usable: it takes days above 0, at most 36500"),
    ("LOG_LEVEL", "LOUD", "LOG_LEVEL='LOUD' is not usable: it takes DEBUG, INFO, WARNING or ERROR"),
]


@pytest.mark.parametrize(("name", "value", "said"), FAULTS)
def test_a_value_of_the_wrong_form_is_refused_by_name(name, value, said):
    with pytest.raises(SettingsError) as refusal:
        settings.read({name: value})
    assert str(refusal.value) == said


def test_all_faults_are_named_at_once_in_the_order_of_the_documents():
    with pytest.raises(SettingsError) as refusal:
        settings.read({"LOG_LEVEL": "LOUD", "WORKERS": "0"})
    assert str(refusal.value) == (
        "WORKERS='0' is not usable: it takes a whole number from 1 to 1000; "
        "LOG_LEVEL='LOUD' is not usable: it takes DEBUG, INFO, WARNING or ERROR"
    )


@pytest.mark.parametrize("command", [("serve", "gateway"), ("run",), ("demo",), ("relay",), ("migrate",)], ids=" ".join)
def test_a_command_ends_with_one_line_that_names_the_setting(command, tmp_path):
    """Two faults, one of them a secret; what the command would do never begins."""
    done = vssid(tmp_path, *command, LOG_LEVEL="LOUD", AMQP_URL="http://guest:mat-khau@x")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "vssid: AMQP_URL is not usable: it takes amqp://user:password@host:port/; "
        "LOG_LEVEL='LOUD' is not usable: it takes DEBUG, INFO, WARNING or ERROR\n"
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("service", "key"), [("registration", "SEAL_KEY"), ("notification", "SEAL_KEY"), ("gateway", "LINK_KEY")]
)
def test_a_service_without_its_key_ends_with_one_line_that_names_it(service, key, tmp_path, servers):
    done = vssid(tmp_path, "serve", service, AMQP_URL=servers.amqp_url, HTTP_PORT=str(free_port()))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"vssid: {key} is not usable: it takes keys of `vssid key`, newest first\n"


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").touch()
    done = vssid(tmp_path, "migrate", VAR_DIR=str(tmp_path / "file"))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"vssid: VAR_DIR={str(tmp_path / 'file')!r} is not usable: File exists\n"


def vssid(folder, *words, **environment):
    """Run the operators' command in a folder."""
    return subprocess.run(
        [sys.executable, "-m", "vssid", *words],
        env={"PATH": os.environ["PATH"], **environment},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_every_default_is_accepted():
    written = {one.name.upper(): str(one.default) for one in dataclasses.fields(Settings)}
    assert settings.read(written) == Settings()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AMQP_URL", "amqps://u:p%40ss@broker.example:5671/vhost?heartbeat=5"),
        ("DATABASE_URL", "postgresql:///vssid?host=/run/postgresql"),
        ("STORE_URL", "file:///srv/kho ảnh"),
        ("HTTP_HOST", "0.0.0.0"),
        ("HTTP_HOST", "::1"),
        ("HTTP_HOST", "my_host.internal"),
        ("PUBLIC_URL", "https://vssid.example/"),
        ("SMS_URL", "twilio://AC1:token@?from=+15005550006 smtp://mailpit:1025?lookup=http://mailpit:8025 file:out"),
        ("MAIL_URL", "smtps://user:p%40ss@mail.example:465"),
        ("MAIL_FROM", "khong-tra-loi@vssid.example"),
        ("MAIL_FROM", "Bảo hiểm xã hội <khong-tra-loi@vssid.example>"),
        ("REGISTER_URL", "https://register.example:9000/v1"),
        ("REGISTER_TOKEN", "eyJhbGciOi.J9-_~+/=="),
        ("RATE_LIMITS", "OFF"),
        ("LIMIT_READING", "30 per 2 hours"),
        ("RATE_LIMIT_STORE", "rediss://:mat-khau@redis.example:6380/1"),
        ("RETRY_DELAYS", "0.5, 30,120"),
        ("LOG_LEVEL", "debug"),
        ("LINK_KEY", f"{new_key()} {new_key()}"),
        ("SEAL_KEY", f"{new_key()}, {new_key()}"),
    ],
)
def test_every_form_in_use_is_accepted_as_it_is_written(name, value):
    assert settings.read({name: value}) == Settings(**{name.lower(): value})


@pytest.mark.parametrize("rate", ["600/minute", "30 per 2 hours", "1/second", "5/day", "7 / 1 month", "2 per year"])
def test_every_rate_that_is_accepted_is_one_the_limiter_understands(rate):
    assert settings.read({"LIMIT_READING": rate}).limit_reading == rate
    assert limits.parse(rate).amount > 0


@pytest.mark.parametrize("value", ["a,b", "a b", " a, b ", "a ,\tb"])
def test_keys_stand_with_a_comma_or_a_space_between_them(value):
    assert split_keys(value) == ["a", "b"]


@pytest.mark.parametrize(("value", "meant"), [("1", True), ("true", True), ("On", True), ("0", False), ("off", False)])
def test_a_switch_is_on_or_off(value, meant):
    assert settings.read({"SMS_ACCENTS": value}).sms_accents is meant


def test_delays_are_a_list_of_seconds():
    assert Settings(retry_delays="0.5, 30,120").delays == (0.5, 30.0, 120.0)
    assert Settings(retry_delays="").delays == ()


def test_without_a_server_every_service_has_a_file_of_its_own(tmp_path):
    read = Settings(var_dir=str(tmp_path / "var"))
    assert read.database("cards") == f"sqlite:///{tmp_path}/var/cards.db"
    assert (tmp_path / "var").is_dir()


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgresql://u:p@db:5432/vssid", "postgresql+psycopg2://u:p@db:5432/vssid_cards"),
        ("postgres://u:p@db/vssid", "postgresql+psycopg2://u:p@db/vssid_cards"),
        ("postgresql://db", "postgresql+psycopg2://db/vssid_cards"),
        ("postgresql://db/other?sslmode=require", "postgresql+psycopg2://db/other_cards?sslmode=require"),
        ("postgresql+psycopg2://db/vssid", "postgresql+psycopg2://db/vssid_cards"),
    ],
)
def test_on_a_server_every_service_has_a_database_of_its_own(url, expected):
    assert Settings(database_url=url).database("cards") == expected


def test_the_system_is_embedded_where_no_broker_is_named():
    assert Settings().embedded
    assert not Settings(amqp_url="amqp://guest:guest@127.0.0.1/").embedded


def test_links_lead_to_the_public_address_or_else_to_the_port():
    assert Settings(http_port=9000).public == "http://127.0.0.1:9000"
    assert Settings(public_url="https://vssid.example/").public == "https://vssid.example"


def test_messages_go_to_a_folder_where_no_carrier_is_named(tmp_path):
    read = Settings(var_dir=str(tmp_path))
    assert read.carrier("") == f"file:{tmp_path}/outbox"
    assert read.carrier("smtp://mail:25") == "smtp://mail:25"
