"""What each process may do on RabbitMQ: a user for each, none of which can pass for another.

Only the relay publishes to the exchanges of events, each outbox to its service's own, so that whoever wants to forge
an event needs the database role of the service that announces it. RabbitMQ checks topic permissions against the
routing key alone and delivers by CC headers as well, so nothing here rests on them but what a queue may be bound to:
each user's exchanges lead to queues of its own, or to what anybody who may publish there may reach.
"""

import base64
import hashlib
import re
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pika

from shared.messaging import topology
from shared.messaging.topology import CALLS, REPLIES, Listener, QueueDeclaration
from shared.settings import Settings, SettingsError, split_credentials

ADMINISTRATOR, RELAY = "administrator", "relay"
DEFAULT_EXCHANGE = "amq.default"  # what permissions call the exchange without a name
ANYTHING = r".*"


@dataclass(frozen=True)
class Permissions:
    """Regular expressions of whole names: what a user may declare or delete, publish or bind to, and take from.

    ``called`` and ``answered`` are the routing keys of `CALLS` that it may publish with and bind a queue with.
    """

    configure: tuple[str, ...] = ()
    write: tuple[str, ...] = ()
    read: tuple[str, ...] = ()
    called: tuple[str, ...] = ()
    answered: tuple[str, ...] = ()


def permissions(
    settings: Settings, listeners: Sequence[Listener], answering: Iterable[str], calling: Iterable[str]
) -> dict[str, Permissions]:
    """Return what each user may; ``answering`` are the services that answer calls, ``calling`` those that make some."""
    prefix, answering = settings.broker_prefix, list(answering)
    services = dict.fromkeys([*answering, *(one.service for one in listeners)])
    return {
        ADMINISTRATOR: Permissions(*([(ANYTHING,)] * 5)),
        RELAY: _relay(prefix, topology.event_queues(settings, listeners)),
        **{name: _caller(prefix, answering) for name in calling},
        **{name: _service(settings, name, listeners, name in answering) for name in services},
    }


def _relay(prefix: str, queues: Iterable[QueueDeclaration]) -> Permissions:
    """Everything about events, for it declares them on an empty broker, and operators replay dead ones with it."""
    names = {queue.name for queue in queues}
    exchanges = {binding.exchange for queue in queues for binding in queue.bindings + queue.former_bindings}
    exchanges |= {topology.volume_name(prefix, queue.service) for queue in queues}
    everything = _exactly(*sorted(names | exchanges))
    return Permissions(everything, (*everything, *_exactly(DEFAULT_EXCHANGE)), everything)


def _caller(prefix: str, answering: Iterable[str]) -> Permissions:
    replies = (re.escape(topology.reply_queue_name(prefix, "")) + "[0-9a-f]{32}",)
    called = _exactly(*(topology.call_queue_name(prefix, name) for name in answering))
    return Permissions(replies, (*replies, *_exactly(CALLS)), (*replies, *_exactly(REPLIES)), called=called)


def _service(settings: Settings, name: str, listeners: Iterable[Listener], answers: bool) -> Permissions:
    prefix = settings.broker_prefix
    calls = _exactly(topology.call_queue_name(prefix, name)) if answers else ()
    queues = [topology.queue_name(prefix, name, one.method) for one in listeners if one.service == name]
    waiting = [topology.waiting_name(prefix, name, delay) for delay in settings.delays]
    failed = [topology.retries_name(prefix, name), *waiting] if queues else []
    return Permissions(
        configure=calls,
        write=(*calls, *_exactly(*failed, *([REPLIES] if answers else []))),
        read=(*calls, *_exactly(*queues, *([CALLS] if answers else []))),
        answered=calls,
    )


def _exactly(*names: str) -> tuple[str, ...]:
    return tuple(re.escape(name) for name in names)


def definitions(settings: Settings, allowed: Mapping[str, Permissions]) -> dict[str, Any]:
    """Return RabbitMQ's definitions of the users of BROKER_USERS, with salted hashes of their passwords.

    Raises:
        SettingsError: BROKER_USERS does not name exactly those users.
    """
    passwords = split_credentials(settings.broker_users)
    if passwords.keys() != allowed.keys():
        raise SettingsError(f"BROKER_USERS is not usable: it takes a password for each of {', '.join(allowed)}")
    vhost = pika.URLParameters(settings.amqp_url or "amqp:///").virtual_host
    named = {settings.broker_prefix + name: one for name, one in allowed.items()}
    return {
        "vhosts": [{"name": vhost}],
        "users": [_user(settings.broker_prefix + name, name, passwords[name]) for name in allowed],
        "permissions": [
            {
                "user": name,
                "vhost": vhost,
                "configure": _pattern(one.configure),
                "write": _pattern(one.write),
                "read": _pattern(one.read),
            }
            for name, one in named.items()
        ],
        "topic_permissions": [
            {
                "user": name,
                "vhost": vhost,
                "exchange": CALLS,
                "write": _pattern(one.called),
                "read": _pattern(one.answered),
            }
            for name, one in named.items()
        ],
    }


def _user(full_name: str, name: str, password: str) -> dict[str, str]:
    salt = secrets.token_bytes(4)
    digest = hashlib.sha256(salt + password.encode()).digest()
    return {
        "name": full_name,
        "password_hash": base64.b64encode(salt + digest).decode(),
        "hashing_algorithm": "rabbit_password_hashing_sha256",
        "tags": "administrator" if name == ADMINISTRATOR else "",
    }


def _pattern(names: Iterable[str]) -> str:
    return f"^({'|'.join(names)})$"
