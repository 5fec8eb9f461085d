"""The environment, read once and typed. Every setting of every desk stands here, with what it is for."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import Any

SWITCH = {"1": True, "true": True, "on": True, "yes": True, "0": False, "false": False, "off": False, "no": False}


class SettingsError(Exception):
    """A setting cannot be used; the message names it and says what it takes."""


def setting(default: Any, about: str, *, secret: bool = False) -> Any:
    """Declare a setting: its default, and one line for the README and .env.example."""
    return field(default=default, metadata={"about": about, "secret": secret})


@dataclass(frozen=True)
class Settings:
    """What the environment says. Names are the upper-case environment variables."""

    amqp_url: str = setting("", "RabbitMQ; empty runs the in-process broker (embedded only)", secret=True)
    database_url: str = setting("", "PostgreSQL server, one database a desk; empty means SQLite", secret=True)
    var_dir: str = setting("./var", "folder for the embedded databases, pictures and messages")
    store_url: str = setting("", "where pictures lie: file:///folder or s3://bucket/prefix (VAR_DIR/store)")
    broker_prefix: str = setting("", "put before every queue and exchange name, to share one broker")

    http_host: str = setting("127.0.0.1", "address the process listens on")
    http_port: int = setting(8000, "port of the API, and of health and metrics in the other processes")
    public_url: str = setting("", "how the gateway is reached from outside, for links (http://HOST:PORT)")
    trusted_proxies: int = setting(0, "how many proxies in front may name the caller in X-Forwarded-For")

    sms_url: str = setting(
        "",
        "carriers of SMS, best first, a space between two: twilio://SID:TOKEN@?from=…, smtp://host:port, file:DIR",
        secret=True,
    )
    mail_url: str = setting("", "carrier of mail: smtp://host:port, smtps://…, file:DIR", secret=True)
    mail_from: str = setting("VssID <khong-tra-loi@vssid.example>", "sender of mail")
    sms_accents: bool = setting(False, "1 keeps Vietnamese accents in SMS (UCS-2, shorter segments)")
    carrier_timeout: float = setting(10.0, "seconds a carrier of messages has to answer")
    settle_after: float = setting(60.0, "seconds before a message of unknown fate is looked up at its carrier")

    register_url: str = setting("", "household register over HTTP; empty uses the imported table")
    register_timeout: float = setting(3.0, "seconds the household register has to answer")

    seal_key: str = setting("", "Fernet key for secrets in events; registration and notification only", secret=True)
    link_key: str = setting("", "key that signs picture links; gateway only", secret=True)

    rate_limits: str = setting("on", "off lifts the limits by address, for load and acceptance runs")
    limit_reading: str = setting("600/minute", "requests one address may make")
    limit_uploading: str = setting("600/minute", "pictures one address may send")
    limit_submitting: str = setting("120/minute", "declarations one address may send")
    limit_signing_in: str = setting("30/minute", "sign-ins one address may try")
    limit_phone: str = setting("50/day", "declarations one phone number may stand in")
    limit_hooks: str = setting("6000/minute", "call-backs of carriers that one address may send")
    rate_limit_store: str = setting("memory://", "where counts are kept; redis://… shares them between gateways")
    retry_delays: str = setting("5,30,120,600,3600", "seconds a failed event waits before each new round")
    rpc_deadline: float = setting(1.8, "seconds a desk has to answer the gateway")
    workers: int = setting(8, "events and calls one process works on at once")
    gateway_workers: int = setting(256, "requests one gateway works on at once; more are turned away with 503")
    database_timeout: float = setting(1.5, "seconds a statement, a lock or a free connection may take")
    declaration_days: float = setting(10.0, "days an undecided declaration lives (S59)")
    timer_seconds: float = setting(20.0, "seconds between two looks of a timer")
    log_level: str = setting("INFO", "DEBUG, INFO, WARNING or ERROR")

    @cached_property
    def folder(self) -> Path:
        """VAR_DIR, made if missing."""
        folder = Path(self.var_dir).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    @property
    def embedded(self) -> bool:
        """Whether all desks live in this one process, without a broker."""
        return not self.amqp_url

    @property
    def delays(self) -> tuple[float, ...]:
        """Seconds before each further round of a failed event."""
        return tuple(float(delay) for delay in self.retry_delays.split(",") if delay.strip())

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


def read(environment: Mapping[str, str] | None = None) -> Settings:
    """Read the settings from the environment.

    Raises:
        SettingsError: a value has the wrong form.
    """
    source = os.environ if environment is None else environment
    values: dict[str, Any] = {}
    for one in fields(Settings):
        text = source.get(one.name.upper(), "").strip()
        if text:
            values[one.name] = _typed(one.name.upper(), text, type(one.default))
    configured = Settings(**values)
    try:
        _ = configured.delays
    except ValueError:
        raise SettingsError(f"RETRY_DELAYS={configured.retry_delays!r} is not usable: it takes 5,30,120") from None
    return configured


def _typed(name: str, text: str, kind: type) -> Any:
    if kind is bool:
        if text.lower() not in SWITCH:
            raise SettingsError(f"{name}={text!r} is not usable: it takes 1 or 0")
        return SWITCH[text.lower()]
    try:
        return kind(text)
    except ValueError:
        raise SettingsError(f"{name}={text!r} is not usable: it takes a {kind.__name__}") from None
