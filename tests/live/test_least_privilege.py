"""Each process on its own RabbitMQ user and PostgreSQL role: the whole job works, and nothing beyond it is allowed."""

import json
from dataclasses import replace
from urllib.parse import urlsplit

import pika
import psycopg2
import pytest
from pika.exceptions import ChannelClosedByBroker

from shared.messaging import permissions, topology
from tests.support.running import running_system, service_of
from tests.support.servers import delete_users, drop_roles, import_definitions
from tests.support.waiting import until
from vssid.smoke import AGENCY
from vssid.startup import STATEFUL, broker_permissions, event_queues
from vssid.walk import Walk

SEED = 20231201
SERVICES = (*STATEFUL, "gateway")
USERS = (permissions.ADMINISTRATOR, permissions.RELAY, *SERVICES)
PASSWORD = "only-for-this-test"


def as_user(url, name):
    parts = urlsplit(url)
    return parts._replace(netloc=f"{name}:{PASSWORD}@{parts.netloc.rpartition('@')[2]}").geturl()


@pytest.fixture(scope="module")
def system(servers, tmp_path_factory):
    """A system each of whose processes signs in on both servers as itself."""
    credentials = {
        "DATABASE_ROLES": " ".join(f"{name}:{PASSWORD}" for name in (*STATEFUL, "relay")),
        "BROKER_USERS": " ".join(f"{name}:{PASSWORD}" for name in USERS),
    }

    def sign_in_as_themselves(system):
        systems.append(system)
        import_definitions(
            servers, json.dumps(permissions.definitions(system.settings, broker_permissions(system.settings)))
        )
        system.environment_of = lambda name: own_environment(system.environment, service_of(name))

    folder, systems = tmp_path_factory.mktemp("system"), []
    try:
        with running_system(servers, folder, before=sign_in_as_themselves, **credentials) as started:
            yield started
    finally:
        for one in systems:
            delete_users(servers, one.settings.broker_prefix)
            drop_roles(one.settings.database_url)


def own_environment(environment, service):
    """Return what a process is told in its container: its own user and role, and nobody's else."""
    database = urlsplit(environment["DATABASE_URL"]).path[1:]
    return {
        **environment,
        "AMQP_URL": as_user(environment["AMQP_URL"], environment["BROKER_PREFIX"] + service),
        "DATABASE_URL": as_user(environment["DATABASE_URL"], f"{database}_{service}") if service != "gateway" else "",
        "DATABASE_ROLES": "",
        "BROKER_USERS": "",
    }


@pytest.fixture
def channel_of(system, servers):
    """Open a channel as a user."""
    opened = []

    def open_channel(name):
        url = as_user(servers.amqp_url, system.settings.broker_prefix + name)
        opened.append(pika.BlockingConnection(pika.URLParameters(url)))
        channel = opened[-1].channel()
        channel.confirm_delivery()
        return channel

    yield open_channel
    for connection in opened:
        connection.close()


def refused(act):
    """Return the code with which RabbitMQ refused an act, 0 where it did not."""
    try:
        act()
    except ChannelClosedByBroker as error:
        return error.reply_code
    return 0


def answer_to(system, role, statement, database):
    """Return what PostgreSQL says to a statement of a role in a database: its first line, empty where it obeys."""
    base = system.settings.database_url
    url = urlsplit(as_user(base, f"{urlsplit(base).path[1:]}_{role}"))
    try:
        connection = psycopg2.connect(url._replace(path=f"{url.path}_{database}").geturl(), connect_timeout=3)
    except psycopg2.OperationalError as error:
        return str(error).splitlines()[0].rpartition("FATAL:  ")[2]
    try:
        with connection.cursor() as cursor:
            cursor.execute(statement)
        return ""
    except psycopg2.Error as error:
        return str(error).splitlines()[0]
    finally:
        connection.close()


def test_a_declaration_goes_its_whole_way_with_each_process_as_itself(system):
    (person,) = system.prepare(SEED, 1)
    walk = Walk(system.url, as_officer=system.officer(SEED))
    declared = walk.submit(person, AGENCY)
    walk.approve(declared)
    until(lambda: "card_issued" in walk.history(declared), "the card is issued")
    system.until_quiet()
    assert sorted(person.phone == sms.to for sms in system.texts.messages()) == [True, True]
    assert system.command_in("relay", "dead", "list") == ""


def test_events_are_announced_again_by_the_relays_user_and_no_service(system):
    words = ("outbox", "replay", "--since", "2026-01-01T00:00")
    said = system.command_in("relay", *words).splitlines()
    assert [line.partition(":")[0] for line in said] == list(STATEFUL)
    with pytest.raises(AssertionError, match=r"the events of registration were not all announced: .*"):
        system.command_in("registration", *words)


def test_a_failed_event_waits_dies_and_is_replayed_by_the_relays_user(system, channel_of):
    queue = topology.queue_name(system.settings.broker_prefix, "cards", "on_card_requested")
    channel_of(permissions.ADMINISTRATOR).basic_publish(
        "", queue, b"not JSON", pika.BasicProperties(message_id="bad", headers={topology.ID: "bad"}), mandatory=True
    )
    until(lambda: system.command_in("relay", "dead", "list").split()[:2] == [queue, "bad"], "the event is dead")
    assert system.command_in("relay", "dead", "replay") == "1 events put back\n"
    until(lambda: system.command_in("relay", "dead", "list").split()[:2] == [queue, "bad"], "it is dead again")
    assert system.command_in("relay", "dead", "drop", "--yes") == "1 events deleted\n"


@pytest.mark.parametrize("name", SERVICES)
def test_no_service_publishes_events_not_even_its_own(system, channel_of, name):
    prefix = system.settings.broker_prefix

    def publish(speaker):
        channel_of(name).basic_publish(topology.exchange_name(prefix, speaker), "declaration_approved", b"{}")

    assert {speaker: refused(lambda speaker=speaker: publish(speaker)) for speaker in STATEFUL} == dict.fromkeys(
        STATEFUL, 403
    )


@pytest.mark.parametrize("name", SERVICES)
def test_no_service_reaches_a_queue_past_its_exchanges(system, channel_of, name):
    queue = topology.queue_name(system.settings.broker_prefix, "registration", "on_declaration_approved")
    assert refused(lambda: channel_of(name).basic_publish("", queue, b"{}")) == 403


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_takes_from_its_own_queues_alone(system, channel_of, name):
    queues = event_queues(system.settings)
    taken = {queue.name: refused(lambda one=queue.name: channel_of(name).basic_get(one)) for queue in queues}
    listened = {
        queue.name
        for queue in queues
        if queue.service == name and f"{name}.on_" in queue.name and not queue.name.endswith(".dead")
    }
    assert {queue for queue, code in taken.items() if code == 0} == listened
    assert set(taken.values()) <= {0, 403}


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_hears_nothing_that_was_not_announced_to_it(system, channel_of, name):
    """A queue of its own bound to what another announces, or to what another is called with, would tell it."""
    prefix = system.settings.broker_prefix
    own = topology.call_queue_name(prefix, name)
    for exchange in (*(topology.exchange_name(prefix, speaker) for speaker in STATEFUL), topology.REPLIES):
        if (name, exchange) != ("gateway", topology.REPLIES):
            assert refused(lambda exchange=exchange: channel_of(name).queue_bind(own, exchange, "#")) == 403
    for key in ("#", topology.call_queue_name(prefix, "*"), topology.call_queue_name(prefix, "approval")):
        if key != own:
            assert refused(lambda key=key: channel_of(name).queue_bind(own, topology.CALLS, key)) == 403


@pytest.mark.parametrize("name", STATEFUL)
def test_a_carbon_copy_of_a_failed_event_reaches_no_other_service(system, channel_of, name):
    """RabbitMQ delivers by CC and BCC headers as well, and checks no permission for them."""
    prefix = system.settings.broker_prefix
    target = next(one for one in STATEFUL if one != name)
    queue = next(one.name for one in event_queues(system.settings) if f"{prefix}{target}.on_" in one.name)
    exchanges = [
        topology.retries_name(prefix, name),
        *(topology.waiting_name(prefix, name, delay) for delay in system.settings.delays[:2]),
    ]
    before = system.log_of(target).read_text("utf-8").count("event_unreadable")
    for exchange in exchanges:
        copies = pika.BasicProperties(headers={"CC": [queue], "BCC": [queue]})
        channel_of(name).basic_publish(exchange, "nowhere", b"not JSON", copies)
    waiting = topology.waiting_name(prefix, name, system.settings.delays[1])
    administrator = channel_of(permissions.ADMINISTRATOR)
    until(
        lambda: administrator.queue_declare(waiting, passive=True).method.message_count == 0, "the copies have waited"
    )
    assert system.log_of(target).read_text("utf-8").count("event_unreadable") == before


@pytest.mark.parametrize("name", STATEFUL)
def test_only_the_gateway_calls(system, channel_of, name):
    key = topology.call_queue_name(system.settings.broker_prefix, "approval")
    assert refused(lambda: channel_of(name).basic_publish(topology.CALLS, key, b"{}")) == 403


def test_the_gateway_publishes_nothing_but_calls(system, channel_of):
    prefix = system.settings.broker_prefix
    exchanges = {binding.exchange for queue in event_queues(system.settings) for binding in queue.bindings}
    codes = {
        exchange: refused(lambda exchange=exchange: channel_of("gateway").basic_publish(exchange, "x", b"{}"))
        for exchange in {*exchanges, topology.REPLIES}
    }
    assert set(codes.values()) == {403}
    assert refused(lambda: channel_of("gateway").basic_publish(topology.CALLS, f"{prefix}anything", b"{}")) == 403


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_declares_and_deletes_nothing_of_the_topology(system, channel_of, name):
    queues = event_queues(system.settings)
    exchanges = {binding.exchange for queue in queues for binding in queue.bindings}
    assert {refused(lambda one=one: channel_of(name).queue_delete(one.name)) for one in queues} == {403}
    assert {refused(lambda one=one: channel_of(name).exchange_delete(one)) for one in exchanges} == {403}
    assert refused(lambda: channel_of(name).queue_declare(f"{system.settings.broker_prefix}mine")) == 403


@pytest.mark.parametrize("name", STATEFUL)
def test_a_service_opens_its_own_database_alone(system, name):
    opened = {other for other in STATEFUL if answer_to(system, name, "SELECT 1 FROM outbox", other) == ""}
    assert opened == {name}


@pytest.mark.parametrize("name", STATEFUL)
def test_a_role_is_no_administrator(system, name):
    base = urlsplit(system.settings.database_url).path[1:]
    rights = "rolsuper OR rolcreatedb OR rolcreaterole OR rolreplication OR rolbypassrls"
    assert system.rows(name, f"SELECT {rights} FROM pg_roles WHERE rolname = %s", (f"{base}_{name}",)) == [(False,)]


@pytest.mark.parametrize("name", STATEFUL)
def test_a_service_owns_every_table_of_its_database(system, name):
    owners = system.rows(name, "SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'public'")
    assert owners == [(f"{urlsplit(system.settings.database_url).path[1:]}_{name}",)]


@pytest.mark.parametrize("name", STATEFUL)
def test_the_relay_reads_and_changes_nothing_but_what_is_announced(system, name):
    tables = [table for (table,) in system.rows(name, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]
    read = {table for table in tables if answer_to(system, "relay", f"SELECT 1 FROM {table}", name) == ""}
    assert read == {"outbox", "announced"}
    refusals = {
        statement: answer_to(system, "relay", statement, name)
        for statement in (
            "INSERT INTO outbox SELECT * FROM outbox",
            "UPDATE outbox SET payload = ''",
            "TRUNCATE outbox",
            "CREATE TABLE x (y int)",
            "DROP TABLE outbox",
        )
    }
    assert all(refusals.values()), refusals


def test_an_outbox_speaks_for_its_own_service_alone(system):
    """A row that calls itself another's is published to its outbox's exchange, where nobody listens for it."""
    row = "('forged', 'approval', 'x', 'declaration_approved', '{}', 'x', now())"
    columns = "(id, aggregatetype, aggregateid, type, payload, request_id, created_at)"
    before = system.log_of("registration").read_text("utf-8").count("event_unreadable")
    statement = f"INSERT INTO outbox {columns} VALUES {row}"
    system.rows("cards", f"{statement}; NOTIFY outbox")
    until(lambda: "event_unroutable" in system.log_of("relay").read_text("utf-8"), "the relay finds no queue for it")
    assert system.count("cards", "outbox", "id = 'forged'") == 1
    assert system.log_of("registration").read_text("utf-8").count("event_unreadable") == before
    system.rows("cards", "DELETE FROM outbox WHERE id = 'forged'")


def test_a_system_without_roles_is_handed_over(servers, postgresql_settings):
    """Tables that an administrator made become the role's; what their owner had given up stays given up."""
    from services.cards import models
    from shared.storage import migrate

    migrate.upgrade("cards", models.metadata, postgresql_settings)
    url = postgresql_settings.database("cards").replace("+psycopg2", "")
    administrator = psycopg2.connect(url)
    with administrator, administrator.cursor() as cursor:
        cursor.execute("CREATE TABLE journal (line text)")
        cursor.execute("INSERT INTO journal VALUES ('kept')")
        cursor.execute("REVOKE UPDATE, DELETE, TRUNCATE ON journal FROM CURRENT_USER")
    administrator.close()
    named = replace(postgresql_settings, database_roles=" ".join(f"{name}:{PASSWORD}" for name in (*STATEFUL, "relay")))
    try:
        migrate.upgrade("cards", models.metadata, named)
        migrate.upgrade("cards", models.metadata, named)
        base = urlsplit(named.database_url)
        role = psycopg2.connect(as_user(base._replace(path=f"{base.path}_cards").geturl(), f"{base.path[1:]}_cards"))
        with role, role.cursor() as cursor:
            cursor.execute("SELECT tableowner = current_user FROM pg_tables WHERE tablename IN ('journal', 'cards')")
            assert cursor.fetchall() == [(True,), (True,)]
            cursor.execute("SELECT nextval('card_serial')")
        for statement in ("UPDATE journal SET line = 'x'", "DELETE FROM journal", "TRUNCATE journal"):
            with pytest.raises(psycopg2.errors.InsufficientPrivilege), role, role.cursor() as cursor:
                cursor.execute(statement)
        role.close()
    finally:
        drop_roles(named.database_url)
