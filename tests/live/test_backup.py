"""A backup of a system that runs, restored into an empty one, which goes on as if nothing had happened."""

import json
import shutil
import subprocess
from contextlib import contextmanager
from pathlib import Path

import pytest

from deploy.backup import DATABASE, NUMBERS_LEFT_OUT, STORE, SUMS, BackupError, backup, restore
from tests.support.cluster import cluster
from tests.support.running import PROCESSES, RunningSystem, running_system, started
from tests.support.servers import Servers, delete_prefix, fresh_prefix
from tests.support.waiting import until
from vssid.smoke import AGENCY
from vssid.walk import Walk

SEED = 20261130
LAST_NUMBER = 41


class LocalMachine:
    """The files of a system without containers; PostgreSQL is a cluster of the test's."""

    def __init__(self, postgres, folder):
        self.postgres, self.store, self.broker = postgres, folder / "store", folder / "broker"
        self.store.mkdir(parents=True, exist_ok=True)

    def at_database(self, script):
        return self.postgres.shell(script)

    at_database_files = at_database

    def at_store(self, script):
        return ["env", f"STORE={self.store}", "sh", "-c", script]

    def at_broker_files(self, script):
        return ["env", f"RABBITMQ_DATA_DIR={self.broker}", "sh", "-c", script]

    def start_database(self):
        self.postgres.start()


def asked(postgres, query):
    """Run a statement and return what it printed."""
    command = postgres.shell(f'psql -XqAtU vssid -d postgres -v ON_ERROR_STOP=1 -c "{query}"')
    return subprocess.run(command, capture_output=True, check=True, text=True).stdout.strip()


@pytest.fixture(scope="module")
def first():
    with cluster() as made:
        made.create()
        made.start()
        asked(made, f"CREATE SEQUENCE one_serial START {LAST_NUMBER}; SELECT nextval('one_serial')")
        yield made


@pytest.fixture
def second():
    with cluster() as made:
        yield made


@pytest.fixture
def taken(first, tmp_path):
    """A backup of a store with one picture, and of a cluster."""
    machine = LocalMachine(first, tmp_path / "first")
    (machine.store / "picture").write_bytes(b"a picture")
    backup(machine, tmp_path / "backup")
    return tmp_path / "backup"


@contextmanager
def restored_system(servers, system, postgres, folder):
    """Start the system on the restored cluster, the restored store and a broker that has nothing."""
    database_url = system.database_url.replace(system.database_url.rpartition("@")[2].partition("/")[0], "{}").format(
        f"127.0.0.1:{postgres.port}"
    )
    places = {"DATABASE_URL": database_url, "BROKER_PREFIX": fresh_prefix(), "VAR_DIR": str(folder)}
    (folder / "log").mkdir()
    again = RunningSystem({**system.environment, **places}, database_url, folder / "log")
    try:
        with started(again, PROCESSES):
            yield again
    finally:
        delete_prefix(servers, places["BROKER_PREFIX"])


def addressed(system, person):
    """Return how many SMS and mails a person got."""
    texts = [one for one in system.texts.messages() if one.to == person.phone]
    mails = [one for one in system.mails.messages() if person.email in one.recipients]
    return len(texts), len(mails)


def whole_way(walk, declared):
    walk.approve(declared)
    until(lambda: "card_issued" in walk.history(declared), "the card")


def test_a_restored_system_goes_on(servers, first, second, tmp_path):
    one_system = Servers(servers.amqp_url, first.url)
    with running_system(one_system, tmp_path) as system:
        finished, pending, waiting, lost, later = system.prepare(SEED, 5)
        walk = Walk(system.url, as_officer=system.officer(SEED))
        whole_way(walk, walk.submit(finished, AGENCY))
        declared = walk.submit(pending, AGENCY)
        system.until_quiet()
        system.kill("notification")
        whole_way(walk, walk.submit(waiting, AGENCY))
        until(lambda: not any(system.count(one, "outbox") for one in ("registration", "approval")), "RabbitMQ has it")

        machine = LocalMachine(first, tmp_path / "first")
        machine.store = Path(system.environment["VAR_DIR"]) / "store"
        backup(machine, tmp_path / "backup")
        number_after = walk.submit(lost, AGENCY)["number"]
        before = {person.phone: addressed(system, person) for person in (finished, pending, waiting)}
        system.stop_all()

        empty = LocalMachine(second, tmp_path / "second")
        restore(empty, tmp_path / "backup")
        with restored_system(servers, system, second, tmp_path / "second") as again:
            again.until_quiet()
            assert addressed(system, finished) == before[finished.phone] == (2, 2), "nobody is told twice"
            assert before[waiting.phone] == (0, 0)
            until(lambda: addressed(system, waiting) == (2, 2), "what was in a queue, and lost with it, is told")
            assert files(empty.store) <= files(machine.store)
            assert files(machine.store) - files(empty.store), "the pictures of the declaration after the backup"

            again.prepare(SEED, 5)  # with a new password for the officer
            walk = Walk(again.url, as_officer=again.officer(SEED))
            whole_way(walk, declared)
            again.until_quiet()
            assert addressed(system, pending) == (2, 2)
            assert int(walk.submit(later, AGENCY)["number"][5:]) > int(number_after[5:]), "no number is given twice"
            assert again.dead() == []


def files(folder):
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file() and path.name != "ready"}


def test_serials_go_on_behind_what_may_have_been_given_since(second, tmp_path, taken):
    restore(LocalMachine(second, tmp_path / "second"), taken)
    assert (tmp_path / "second" / "store" / "picture").read_bytes() == b"a picture"
    assert int(asked(second, "SELECT nextval('one_serial')")) > LAST_NUMBER + NUMBERS_LEFT_OUT


def test_a_backup_is_private(taken):
    assert taken.stat().st_mode & 0o777 == 0o700
    assert {path.name: path.stat().st_mode & 0o777 for path in taken.iterdir()} == dict.fromkeys(
        (DATABASE, STORE, SUMS), 0o600
    )


def damage_byte(folder):
    path = folder / DATABASE
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def cut_store(folder):
    (folder / STORE).write_bytes((folder / STORE).read_bytes()[:-1])


def lose_store(folder):
    (folder / STORE).unlink()


def lose_sums(folder):
    (folder / SUMS).unlink()


def garble_sums(folder):
    (folder / SUMS).write_text("{")


def no_sums(folder):
    (folder / SUMS).write_text(json.dumps({"sha256": {}}))


@pytest.mark.parametrize("damage", [damage_byte, cut_store, lose_store, lose_sums, garble_sums, no_sums])
def test_a_damaged_backup_is_not_restored(second, tmp_path, taken, damage):
    damage(taken)
    with pytest.raises(BackupError):
        restore(LocalMachine(second, tmp_path / "second"), taken)
    assert not second.data.exists()


def fill_database(machine):
    subprocess.run(machine.postgres.shell('mkdir "$PGDATA" && touch "$PGDATA/PG_VERSION"'), check=True)


def fill_store(machine):
    (machine.store / "picture").touch()


def fill_broker(machine):
    (machine.broker / "mnesia" / "rabbit").mkdir(parents=True)


@pytest.mark.parametrize(
    ("fill", "what"), [(fill_database, "PostgreSQL"), (fill_store, "the store"), (fill_broker, "RabbitMQ")]
)
def test_nothing_is_restored_over_what_is_there(second, tmp_path, taken, fill, what):
    machine = LocalMachine(second, tmp_path / "second")
    fill(machine)
    there = sorted(second.folder.rglob("*"))
    with pytest.raises(BackupError, match=f"{what}.*is not empty, so nothing was restored"):
        restore(machine, taken)
    assert sorted(second.folder.rglob("*")) == there


def test_a_backup_that_fails_leaves_nothing_that_looks_like_one(second, tmp_path, capfd):
    with pytest.raises(BackupError, match="PostgreSQL was not backed up"):
        backup(LocalMachine(second, tmp_path / "first"), tmp_path / "backup")
    assert "pg_basebackup" in capfd.readouterr().err
    assert [path.name for path in tmp_path.glob("backup*")] == ["backup.unfinished"]


class NoStore(LocalMachine):
    """Docker cannot run anything beside the store; its status is the one that tar has for a file that grew."""

    def at_store(self, script):
        return ["false"]


def test_a_store_that_was_not_read_is_not_backed_up(first, tmp_path):
    with pytest.raises(BackupError, match="the store was not backed up"):
        backup(NoStore(first, tmp_path / "first"), tmp_path / "backup")
    assert not (tmp_path / "backup").exists()
    with pytest.raises(BackupError, match=r"backup\.unfinished is there already"):
        backup(LocalMachine(first, tmp_path / "first"), tmp_path / "backup")


def test_nothing_is_restored_where_nobody_could_look(second, tmp_path, taken):
    with pytest.raises(BackupError, match="the store cannot be looked at, so nothing was restored"):
        restore(NoStore(second, tmp_path / "second"), taken)
    assert not second.data.exists()


def test_a_backup_does_not_replace_another(first, tmp_path, taken):
    shutil.copytree(taken, tmp_path / "kept")
    with pytest.raises(BackupError, match="is there already"):
        backup(LocalMachine(first, tmp_path / "first"), taken)
    assert (taken / SUMS).read_bytes() == (tmp_path / "kept" / SUMS).read_bytes()
