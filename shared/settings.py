"""The environment, read once, typed and checked. Every setting of every service stands here, with what it is for.

marshmallow does the checking, and nothing on top of it: it is here anyway, pydantic-settings would cost each process
18 MB more, and environs reads `os.environ` only.
"""

import base64
import ipaddress
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import Field, dataclass, field, fields
from email.utils import parseaddr
from functools import cached_property, partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import marshmallow as ma
from marshmallow.validate import Email, Range

from shared.language.retention import Retention, read_retention
from shared.language.values import DeclarationKind

BROKERS = ("amqp", "amqps")
DATABASES = ("postgresql", "postgres", "postgresql+psycopg2")
STORES = ("file", "s3")
WEB = ("http", "https")
SMS_CARRIERS = ("twilio", "smtp", "smtps", "file")
MAIL_CARRIERS = ("smtp", "smtps", "file")
COUNTERS = ("memory", "redis", "rediss", "redis+unix")
# a path, an account, a socket or this machine instead
WITHOUT_HOST = ("file", "memory", "twilio", "smtp", "smtps", "redis+unix", *DATABASES)
RATE = re.compile(r"0*[1-9]\d* *(/| per ) *(0*[1-9]\d* *)?(second|minute|hour|day|month|year)s?", re.IGNORECASE)
HOST = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9._-]*[A-Za-z0-9_])?\.?")
PREFIX = re.compile(r"[A-Za-z0-9._:-]{1,100}")
TOKEN = re.compile(r"[A-Za-z0-9._~+/=-]+")  # RFC 6750, section 2.1
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
SHORTEST_LINK_KEY = 16  # characters
# what PostgreSQL, RabbitMQ and Python can all count, in milliseconds and in microseconds
MOST_SECONDS, MOST_DAYS = 1_000_000, 36_500


class SettingsError(Exception):
    """A setting cannot be used; the message names it and says what it takes."""


def cannot_listen(host: str, port: int, error: OSError) -> SettingsError:
    """Return what is said where nothing can listen at HTTP_HOST and HTTP_PORT."""
    return SettingsError(f"cannot listen at HTTP_HOST={host!r}, HTTP_PORT={port}: {error.strerror}; name another")


@dataclass(frozen=True)
class Takes:
    """What a setting takes: in words, and as the field that reads and checks it."""

    words: str
    field: ma.fields.Field[Any]


def whole(least: int, most: int) -> Takes:
    return Takes(f"a whole number from {least} to {most}", ma.fields.Integer(validate=Range(least, most)))


def above_zero(words: str, most: int) -> Takes:
    within = Range(0, most, min_inclusive=False)
    return Takes(f"{words} above 0, at most {most}", ma.fields.Float(allow_nan=False, validate=within))


def seconds() -> Takes:
    return above_zero("seconds", MOST_SECONDS)


def switch() -> Takes:
    return Takes("1 or 0", ma.fields.Boolean())


def text(words: str, accepts: Callable[[str], bool] = bool) -> Takes:
    return Takes(words, ma.fields.String(validate=partial(_check, accepts)))


def choice(*options: str) -> Takes:
    return text(" or ".join((", ".join(options[:-1]), options[-1])), partial(is_one_of, options))


def url(words: str, *schemes: str) -> Takes:
    return text(words, partial(is_url, schemes))


def matching(words: str, pattern: re.Pattern[str]) -> Takes:
    return text(words, partial(is_match, pattern))


def rate() -> Takes:
    return matching("a number and a period, such as 600/minute", RATE)


def _check(accepts: Callable[[str], bool], value: str) -> None:
    if not accepts(value):
        raise ma.ValidationError("not accepted")


def is_one_of(options: tuple[str, ...], value: str) -> bool:
    return value.upper() in map(str.upper, options)


def is_match(pattern: re.Pattern[str], value: str) -> bool:
    return pattern.fullmatch(value) is not None


def is_url(schemes: tuple[str, ...], value: str) -> bool:
    """Say whether ``value`` is a URL of one of the schemes, with a host where the scheme needs one."""
    try:
        parts = urlsplit(value)
        _ = parts.port  # reading it refuses what is not a number up to 65535
    except ValueError:
        return False
    if parts.hostname is None:
        return parts.scheme in schemes and parts.scheme in WITHOUT_HOST
    return parts.scheme in schemes and (is_host(parts.hostname) or parts.scheme in ("file", *DATABASES))


def is_base_url(value: str) -> bool:
    """Say whether ``value`` is a URL that paths can be put behind, and that holds no password."""
    return is_url(WEB, value) and not any(sign in value for sign in "?#@")


def are_urls(schemes: tuple[str, ...], value: str) -> bool:
    return all(is_url(schemes, one) for one in value.split())


def is_host(value: str) -> bool:
    try:
        # an internationalised name is written in ASCII on the wire
        return bool(HOST.fullmatch(value.encode("idna").decode()) or ipaddress.ip_address(value))
    except ValueError:
        return False


def is_sender(value: str) -> bool:
    """Say whether ``value`` is one e-mail address, with or without a name before it."""
    try:
        return value.isprintable() and bool(Email()(parseaddr(value)[1]))
    except ma.ValidationError:
        return False


def are_delays(value: str) -> bool:
    try:
        return all(0 <= delay <= MOST_SECONDS for delay in _numbers(value))
    except ValueError:
        return False


def are_keys(value: str) -> bool:
    """Say whether each key is 32 bytes in url-safe base64, as Fernet and Ed25519 take them."""
    try:
        return all(len(base64.urlsafe_b64decode(key)) == 32 for key in split_keys(value))
    except ValueError:
        return False


def are_link_keys(value: str) -> bool:
    return all(len(key) >= SHORTEST_LINK_KEY for key in split_keys(value))


def are_credentials(value: str) -> bool:
    """Say whether each is name:password, and no name stands twice."""
    pairs = [one.partition(":") for one in value.split()]
    return all(name and password for name, _, password in pairs) and len({one[0] for one in pairs}) == len(pairs)


def split_credentials(value: str) -> dict[str, str]:
    """Return the passwords of DATABASE_ROLES or BROKER_USERS by name: a space stands between two."""
    return dict(one.split(":", 1) for one in value.split())


def split_keys(value: str) -> list[str]:
    """Return the keys of SEAL_KEY, LINK_KEY, OFFICER_KEY or JOURNAL_KEY, newest first.

    A space or a comma stands between two.
    """
    return value.replace(",", " ").split()


def is_retention(value: str) -> bool:
    """Say whether days are given, and those of other kinds for kinds that there are."""
    try:
        return set(read_retention(value).kinds) <= set(DeclarationKind)
    except ValueError:
        return False


def _numbers(value: str) -> tuple[float, ...]:
    return tuple(float(number) for number in value.split(",") if number.strip())


def setting(default: Any, about: str, takes: Takes, *, secret: bool = False) -> Any:
    """Declare a setting: its default, one line for the documents and .env.example, and what it takes.

    A secret value is never shown; a URL that may hold a password is one.
    """
    return field(default=default, metadata={"about": about, "takes": takes, "secret": secret})


@dataclass(frozen=True)
class Settings:
    """What the environment says. Names are the upper-case environment variables."""

    amqp_url: str = setting(
        "",
        "RabbitMQ; empty runs the in-process broker (embedded only)",
        url("amqp://user:password@host:port/", *BROKERS),
        secret=True,
    )
    database_url: str = setting(
        "",
        "PostgreSQL server, one database a service; empty means SQLite",
        url("postgresql://user:password@host:port/name", *DATABASES),
        secret=True,
    )
    database_roles: str = setting(
        "",
        "for `vssid migrate`: each service's own role and the relay's; empty: all are the user of DATABASE_URL",
        text("name:password for each service with a database and relay, a space between two", are_credentials),
        secret=True,
    )
    broker_users: str = setting(
        "",
        "for `vssid definitions`: each service's own user on RabbitMQ, the relay's and the administrator's",
        text("name:password for each service, relay and administrator, a space between two", are_credentials),
        secret=True,
    )
    var_dir: str = setting("./var", "folder for the embedded databases, pictures and messages", text("a folder"))
    store_url: str = setting(
        "",
        "where pictures lie: file:///folder or s3://bucket/prefix (VAR_DIR/store)",
        url("file:///folder or s3://bucket/prefix", *STORES),
    )
    broker_prefix: str = setting(
        "",
        "put before every queue, exchange and user name, to share one broker",
        matching("up to 100 of a-z, A-Z, 0-9 and . _ : -", PREFIX),
    )

    http_host: str = setting("127.0.0.1", "address the process listens on", text("an address or a host name", is_host))
    http_port: int = setting(8000, "port of the API, and of health and metrics in the other processes", whole(1, 65535))
    public_url: str = setting(
        "",
        "how the gateway is reached from outside, for links (http://HOST:PORT)",
        url("http://host or https://host", *WEB),
    )
    trusted_proxies: int = setting(0, "how many proxies in front may name the caller in X-Forwarded-For", whole(0, 100))

    sms_url: str = setting(
        "",
        "carriers of SMS, best first, a space between two: twilio://SID:TOKEN@?from=…, smtp://host:port, file:DIR",
        text("twilio://, smtp://, smtps:// and file: URLs, a space between two", partial(are_urls, SMS_CARRIERS)),
        secret=True,
    )
    mail_url: str = setting(
        "",
        "carrier of mail: smtp://host:port, smtps://…, file:DIR",
        url("smtp://host:port, smtps://host:port or file:DIR", *MAIL_CARRIERS),
        secret=True,
    )
    mail_from: str = setting(
        "VssID <khong-tra-loi@vssid.example>",
        "sender of mail",
        text("address@domain or Name <address@domain>", is_sender),
    )
    sms_accents: bool = setting(False, "1 keeps Vietnamese accents in SMS (UCS-2, shorter segments)", switch())
    message_budget: int = setting(
        200_000,
        "messages a day, after which those that anybody can cause wait for the next",
        whole(1, 1_000_000_000),
    )
    carrier_timeout: float = setting(10.0, "seconds a carrier of messages has to answer", seconds())
    settle_after: float = setting(
        60.0, "seconds before a message of unknown outcome is looked up at its carrier", seconds()
    )

    register_url: str = setting(
        "",
        "household register over HTTP; empty uses the imported table",
        text("http://host/path or https://host/path, without user, password or query", is_base_url),
        secret=True,
    )
    register_token: str = setting(
        "",
        "bearer token for the household register",
        matching("letters, digits and - . _ ~ + / =", TOKEN),
        secret=True,
    )
    register_timeout: float = setting(3.0, "seconds the household register has to answer", seconds())

    seal_key: str = setting(
        "",
        "Fernet keys for secrets in events, newest first; registration and notification only",
        text("keys of `vssid key`, newest first, a space between two", are_keys),
        secret=True,
    )
    link_key: str = setting(
        "",
        "keys that sign picture links, newest first; gateway only",
        text("keys of `vssid key`, newest first, a space between two", are_link_keys),
        secret=True,
    )

    officer_key: str = setting(
        "",
        "Fernet keys for the secrets of authenticators, newest first; approval only, where an officer has one",
        text("keys of `vssid key`, newest first, a space between two", are_keys),
        secret=True,
    )
    officer_otp: str = setting(
        "optional",
        "required lets only those officers sign in who have enrolled an authenticator",
        choice("optional", "required"),
    )
    journal_key: str = setting(
        "",
        "keys that sign the journal's daily root, newest first; approval only",
        text("keys of `vssid key`, newest first, a space between two", are_keys),
        secret=True,
    )

    rate_limits: str = setting(
        "on", "off lifts the limits by address, for load and acceptance runs", choice("on", "off")
    )
    limit_reading: str = setting("600/minute", "requests one address may make", rate())
    limit_uploading: str = setting("600/minute", "pictures one address may send", rate())
    limit_submitting: str = setting("200/day", "declarations accepted from one address", rate())
    limit_signing_in: str = setting("30/minute", "sign-ins one address may try", rate())
    limit_phone: str = setting("5/day", "declarations accepted of one phone number", rate())
    limit_email: str = setting("5/day", "declarations accepted of one mail address", rate())
    limit_hooks: str = setting("6000/minute", "call-backs of carriers that one address may send", rate())
    rate_limit_store: str = setting(
        "memory://",
        "where counts are kept; redis://… shares them between gateways",
        url("memory:// or redis://host:port", *COUNTERS),
        secret=True,
    )
    retry_delays: str = setting(
        "5,30,120,600,3600",
        "seconds a failed event waits before each new attempt",
        text(f"seconds, at most {MOST_SECONDS}, with a comma between two, such as 5,30,120", are_delays),
    )
    rpc_deadline: float = setting(1.8, "seconds a service has to answer the gateway", seconds())
    workers: int = setting(8, "events and calls one process works on at once", whole(1, 1000))
    gateway_workers: int = setting(
        256, "requests one gateway works on at once; more are turned away with 503", whole(1, 100_000)
    )
    database_timeout: float = setting(1.5, "seconds a statement, a lock or a free connection may take", seconds())
    declaration_days: float = setting(10.0, "days an undecided declaration lives (S59)", above_zero("days", MOST_DAYS))
    retention_days: str = setting(
        "90",
        "days a decided declaration keeps its data and pictures, and for each kind that differs: 90,child=30",
        text("days above 0, and kind=days after a comma where a kind differs", is_retention),
    )
    message_days: int = setting(
        90, "days after which what was sent is forgotten: when, and to which masked number", whole(30, MOST_DAYS)
    )
    timer_seconds: float = setting(20.0, "seconds between two runs of a timer", seconds())
    log_level: str = setting("INFO", "DEBUG, INFO, WARNING or ERROR", choice(*LEVELS))

    @cached_property
    def folder(self) -> Path:
        """VAR_DIR, made if missing.

        Raises:
            SettingsError: it is no folder and cannot be made one.
        """
        folder = Path(self.var_dir).resolve()
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SettingsError(f"VAR_DIR={self.var_dir!r} is not usable: {error.strerror}") from None
        return folder

    @property
    def embedded(self) -> bool:
        """Whether all services run in this one process, without a broker."""
        return not self.amqp_url

    @property
    def retention(self) -> Retention:
        """How long decided declarations keep their data."""
        return read_retention(self.retention_days)

    @property
    def requires_otp(self) -> bool:
        """Whether officers sign in with an authenticator only."""
        return self.officer_otp.lower() == "required"

    @property
    def limits_addresses(self) -> bool:
        """Whether the limits by address apply."""
        return self.rate_limits.lower() != "off"

    @property
    def delays(self) -> tuple[float, ...]:
        """Seconds before each further attempt at a failed event."""
        return _numbers(self.retry_delays)

    @property
    def store(self) -> str:
        return self.store_url or (self.folder / "store").as_uri()

    @property
    def public(self) -> str:
        return (self.public_url or f"http://{self.http_host}:{self.http_port}").rstrip("/")

    def carrier(self, url: str) -> str:
        """Return the carrier named, or the folder development messages go to."""
        return url or f"file:{self.folder / 'outbox'}"

    def database(self, service: str) -> str:
        """Return the SQLAlchemy URL of a service's own database."""
        if not self.database_url:
            return f"sqlite:///{self.folder / service}.db"
        # psycopg2 by name: SQLAlchemy 2.1 would take psycopg 3, which is not green under eventlet
        base = re.sub(r"^postgres(ql)?://", "postgresql+psycopg2://", self.database_url)
        head, _, options = base.partition("?")
        scheme, _, rest = head.partition("://")
        server, _, name = rest.partition("/")
        url = f"{scheme}://{server}/{name or 'vssid'}_{service}"
        return f"{url}?{options}" if options else url


SCHEMA = ma.Schema.from_dict({one.name: one.metadata["takes"].field for one in fields(Settings)})()


def read(environment: Mapping[str, str] | None = None) -> Settings:
    """Read the settings from the environment; an empty value is as good as none.

    Raises:
        SettingsError: values that cannot be used, all of them in one line.
    """
    source = os.environ if environment is None else environment
    given = {one.name: source.get(one.name.upper(), "").strip() for one in fields(Settings)}
    given = {name: value for name, value in given.items() if value}
    try:
        return Settings(**SCHEMA.load(given))
    except ma.ValidationError as error:
        faults = [_fault(one, given[one.name]) for one in fields(Settings) if one.name in error.messages_dict]
        raise SettingsError("; ".join(faults)) from None


def _fault(one: Field[Any], value: str) -> str:
    shown = "" if one.metadata["secret"] else f"={value!r}"
    return f"{one.name.upper()}{shown} is not usable: it takes {one.metadata['takes'].words}"
