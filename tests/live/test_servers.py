"""The finding of servers, on the servers it finds."""

import os
import subprocess
import sys
from collections.abc import Iterator
from urllib.parse import urlsplit

import pika
import psycopg2
import pytest

from tests.support.servers import Servers, delete_prefix, drop_databases, ensure, fresh_database_url, fresh_prefix


@pytest.fixture(scope="module")
def servers() -> Servers:
    return ensure()


@pytest.fixture
def database_url(servers: Servers) -> Iterator[str]:
    url = fresh_database_url(servers)
    yield url
    drop_databases(url)


def databases(servers: Servers, beginning: str) -> list[str]:
    connection = psycopg2.connect(servers.database_url)
    with connection.cursor() as cursor:
        cursor.execute("SELECT datname FROM pg_database WHERE starts_with(datname, %s) ORDER BY datname", (beginning,))
        found = [name for (name,) in cursor]
    connection.close()
    return found


def queue_exists(servers: Servers, name: str) -> bool:
    with pika.BlockingConnection(pika.URLParameters(servers.amqp_url)) as connection:
        try:
            connection.channel().queue_declare(name, passive=True)
        except pika.exceptions.ChannelClosedByBroker as refusal:
            assert refusal.reply_code == 404
            return False
        return True


def test_a_fresh_database_keeps_vietnamese_letters(database_url: str) -> None:
    connection = psycopg2.connect(database_url)
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE citizen (name text)")
        cursor.execute("INSERT INTO citizen VALUES ('Nguyễn Thị Hồng Ánh')")
        cursor.execute("SELECT name, char_length(name) FROM citizen")
        assert cursor.fetchone() == ("Nguyễn Thị Hồng Ánh", 19)
    connection.close()


def test_dropping_takes_the_databases_of_the_services_too_while_somebody_is_connected(servers: Servers) -> None:
    url = fresh_database_url(servers)
    name = urlsplit(url).path[1:]
    connection = psycopg2.connect(servers.database_url)
    connection.autocommit = True
    connection.cursor().execute(f"CREATE DATABASE {name}_cards")
    connection.close()
    still_there = psycopg2.connect(url)

    drop_databases(url)

    assert databases(servers, name) == []
    still_there.close()


def test_nothing_but_a_throwaway_database_is_ever_dropped(servers: Servers) -> None:
    for name in ("postgres", "vssid", "vssid_registration", "vssid_test_", "vssid_test_0123abcd_cards"):
        with pytest.raises(ValueError, match="not the name of a throwaway database"):
            drop_databases(urlsplit(servers.database_url)._replace(path=f"/{name}").geturl())


def test_two_fresh_names_are_never_the_same(servers: Servers, database_url: str) -> None:
    other = fresh_database_url(servers)
    drop_databases(other)
    assert other != database_url
    assert fresh_prefix() != fresh_prefix()


def test_queues_of_a_prefix_are_deleted_and_no_others(servers: Servers) -> None:
    prefix, other = fresh_prefix(), fresh_prefix()
    with pika.BlockingConnection(pika.URLParameters(servers.amqp_url)) as connection:
        channel = connection.channel()
        channel.exchange_declare(f"{prefix}registration.events", "topic", durable=True)
        for name in (f"{prefix}service", f"{other}service"):
            channel.queue_declare(name, durable=True, arguments={"x-queue-type": "quorum"})
        channel.queue_bind(f"{prefix}service", f"{prefix}registration.events", "#")
    try:
        if not delete_prefix(servers, prefix):
            pytest.skip("rabbitmqctl of this broker is out of reach")
        assert not queue_exists(servers, f"{prefix}service")
        assert queue_exists(servers, f"{other}service")
    finally:
        with pika.BlockingConnection(pika.URLParameters(servers.amqp_url)) as connection:
            for name in (f"{prefix}service", f"{other}service"):
                connection.channel().queue_delete(name)
            connection.channel().exchange_delete(f"{prefix}registration.events")


def test_nothing_but_a_throwaway_prefix_is_ever_deleted(servers: Servers) -> None:
    for prefix in ("", "registration", "test-", "test-0123abcd"):
        with pytest.raises(ValueError, match="not a throwaway prefix"):
            delete_prefix(servers, prefix)


@pytest.mark.parametrize(
    ("variable", "url", "name"),
    [
        ("AMQP_URL", "amqp://guest:guest@127.0.0.1:1/", "RabbitMQ"),
        ("DATABASE_URL", "postgresql://vssid@127.0.0.1:1/vssid", "PostgreSQL"),
    ],
)
def test_a_named_server_that_does_not_answer_is_said_in_one_line(
    servers: Servers, variable: str, url: str, name: str
) -> None:
    found = {"AMQP_URL": servers.amqp_url, "DATABASE_URL": servers.database_url}
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.servers"],
        env={**os.environ, **found, variable: url},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.splitlines() == [f"tests: {name}: {variable} names a server that does not answer"]
