"""Backs up the system that docker compose runs, and restores it into an empty one: `make backup`, `make restore`.

Run on machines that have Python and Docker and nothing else, so it uses the standard library alone. Nothing is stopped
for a backup. The four databases are one cluster of PostgreSQL, and a base backup of it is one moment of all four: what
one service had announced then, the next one had either heard, or it lies in `outbox` or `announced`, and the relay
publishes it to the empty RabbitMQ. The store is copied after them: a picture is there before a row names it.
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Protocol

ROOT = Path(__file__).parents[1]
DATABASE, STORE, SUMS = "database.tar", "store.tar", "sums.json"
BLOCK = 1 << 20
NUMBERS_LEFT_OUT = 100_000  # of each serial: those given after the backup stand on paper, and are not given twice

# with the write-ahead log that it needs, and a manifest for `pg_verifybackup`
TAKE_DATABASE = (
    'exec pg_basebackup --username "$POSTGRES_USER" --pgdata - --format tar --wal-method fetch --checkpoint fast'
)
# tar ends with 1 where a file went or grew under its hands, and so does docker where it could not run tar at all
TAKE_STORE = 'tar -C "$STORE" -cf - . || test $? -eq 1'
LOOK = 'test ! -e "{folder}" || ls -A "{folder}"'
PUT_DATABASE = (
    'mkdir -p "$PGDATA" && cd "$PGDATA" && tar -xf - && chmod 700 . && pg_verifybackup --quiet . && rm backup_manifest'
)
LEAVE_NUMBERS_OUT = """
databases="SELECT datname FROM pg_database WHERE NOT datistemplate"
databases=$(psql -XAtU "$POSTGRES_USER" -d postgres -c "$databases") || exit
for database in $databases; do
  psql -XqAtU "$POSTGRES_USER" -d "$database" -v ON_ERROR_STOP=1 -c "
    SELECT setval(format('%I.%I', schemaname, sequencename), coalesce(last_value, 0) + {count})
    FROM pg_sequences WHERE sequencename LIKE '%\\_serial'" > /dev/null || exit
done
"""


class BackupError(Exception):
    """The backup, or the restore, did not come about; the message says why and what to do."""


class Machine(Protocol):
    """Where the system's files are, and how a shell command is run beside them."""

    def at_database(self, script: str) -> list[str]:
        """Return the command that runs a script beside PostgreSQL while it runs."""
        ...

    def at_database_files(self, script: str) -> list[str]:
        """Return the command that runs a script beside PostgreSQL's files while it is stopped."""
        ...

    def at_store(self, script: str) -> list[str]:
        """Return the command that runs a script with the store in $STORE."""
        ...

    def at_broker_files(self, script: str) -> list[str]:
        """Return the command that runs a script beside RabbitMQ's files while it is stopped."""
        ...

    def start_database(self) -> None:
        """Start PostgreSQL on the files that are there now."""
        ...


class Compose:
    """The project of docker compose in this folder."""

    def at_database(self, script: str) -> list[str]:
        return ["docker", "compose", "exec", "-T", "postgres", "sh", "-c", script]

    def at_database_files(self, script: str) -> list[str]:
        # as root, for a new volume may be root's; the image hands the files over to the user postgres when it starts
        return self._run("postgres", script=script)

    def at_store(self, script: str) -> list[str]:
        return self._run("registration", "--env", "STORE=/var/lib/vssid/store", script=script)

    def at_broker_files(self, script: str) -> list[str]:
        return self._run("rabbitmq", "--env", "RABBITMQ_DATA_DIR=/var/lib/rabbitmq", script=script)

    def start_database(self) -> None:
        if _status(["docker", "compose", "up", "-d", "--wait", "postgres"]) != 0:
            raise BackupError("PostgreSQL did not start on what was restored: see `docker compose logs postgres`")

    def _run(self, service: str, *options: str, script: str) -> list[str]:
        once = ["docker", "compose", "run", "--rm", "-T", "--no-deps", "--entrypoint", "sh", *options]
        return [*once, service, "-c", script]


def backup(machine: Machine, folder: Path) -> None:
    """Write a backup into a folder that is not there yet; it is there only once it is whole.

    Raises:
        BackupError: it did not come about.
    """
    if folder.exists():
        raise BackupError(f"{folder} is there already: name another folder")
    unfinished = folder.with_name(f"{folder.name}.unfinished")
    try:
        unfinished.mkdir(parents=True, mode=0o700)
    except FileExistsError:
        raise BackupError(f"{unfinished} is there already: delete it, or name another folder") from None
    began = datetime.now(UTC)
    sums = {
        DATABASE: _take(machine.at_database(TAKE_DATABASE), unfinished / DATABASE, "PostgreSQL"),
        STORE: _take(machine.at_store(TAKE_STORE), unfinished / STORE, "the store"),
    }
    with _private(unfinished / SUMS) as file:
        file.write(json.dumps({"began": began.isoformat(), "sha256": sums}, indent=1).encode() + b"\n")
    unfinished.rename(folder)


def restore(machine: Machine, folder: Path) -> None:
    """Put a backup in place of a system that is empty, and start PostgreSQL on it.

    Raises:
        BackupError: the backup is not whole, or the system is not empty; nothing was changed. Or it failed on the way.
    """
    check(folder)
    for what, command in (
        ("PostgreSQL's volume", machine.at_database_files(LOOK.format(folder="$PGDATA"))),
        ("the store", machine.at_store(LOOK.format(folder="$STORE"))),
        ("RabbitMQ's volume", machine.at_broker_files(LOOK.format(folder="$RABBITMQ_DATA_DIR/mnesia"))),
    ):
        if _has_files(command, what):
            raise BackupError(
                f"{what} is not empty, so nothing was restored: `make down ARGS=-v` deletes what is there"
            )
    _put(machine.at_database_files(PUT_DATABASE), folder / DATABASE, "PostgreSQL")
    _put(machine.at_store('exec tar -C "$STORE" -xf -'), folder / STORE, "the store")
    machine.start_database()
    if _status(machine.at_database(LEAVE_NUMBERS_OUT.format(count=NUMBERS_LEFT_OUT))) != 0:
        raise BackupError("the serials were not moved on, so numbers might be given twice: see PostgreSQL's log")


def check(folder: Path) -> None:
    """Compare a backup with its sums.

    Raises:
        BackupError: it is not the one that was written.
    """
    try:
        sums: dict[str, str] = json.loads((folder / SUMS).read_text("utf-8"))["sha256"]
    except (OSError, ValueError, KeyError):
        raise BackupError(f"{folder} holds no backup: its {SUMS} is missing or damaged") from None
    for name in (DATABASE, STORE):
        try:
            with (folder / name).open("rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise BackupError(f"{folder / name} cannot be read: {error.strerror}") from None
        if found != sums.get(name):
            raise BackupError(f"{folder / name} is not what was backed up: take another backup")


def _take(command: Sequence[str], path: Path, what: str) -> str:
    """Write what a command prints into a file; return its SHA-256."""
    digest = hashlib.sha256()
    with _private(path) as file, subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT) as process:
        assert process.stdout is not None
        while block := process.stdout.read(BLOCK):
            digest.update(block)
            file.write(block)
        file.flush()
        os.fsync(file.fileno())
    if process.returncode != 0:
        raise BackupError(f"{what} was not backed up; the lines above say why, {path.parent} can be deleted")
    return digest.hexdigest()


def _has_files(command: Sequence[str], what: str) -> bool:
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=False, cwd=ROOT)
    if done.returncode != 0:
        raise BackupError(f"{what} cannot be looked at, so nothing was restored; the lines above say why")
    return done.stdout.strip() != b""


def _put(command: Sequence[str], path: Path, what: str) -> None:
    with path.open("rb") as file:
        done = subprocess.run(command, stdin=file, stderr=subprocess.PIPE, check=False, cwd=ROOT)
    if done.returncode != 0:
        # tar complains about each of a thousand files
        why = done.stderr.decode(errors="replace").partition("\n")[0]
        raise BackupError(f"{what} was not restored ({why}): `make down ARGS=-v`, and try again")


def _status(command: Sequence[str]) -> int:
    return subprocess.run(command, stdin=subprocess.DEVNULL, check=False, cwd=ROOT).returncode


def _private(path: Path) -> IO[bytes]:
    return os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb")


def main(arguments: Sequence[str]) -> None:
    """Do what the arguments say; end with one line where it does not work."""
    parser = argparse.ArgumentParser(description="Back up the system that docker compose runs, or restore it.")
    parser.add_argument("what", choices=("backup", "restore"))
    parser.add_argument("folder", type=Path)
    chosen = parser.parse_args(arguments)
    folder = chosen.folder.absolute()
    try:
        if chosen.what == "backup":
            backup(Compose(), folder)
            print(f"backed up into {folder}; keep .env elsewhere: its keys belong to these data")
        else:
            restore(Compose(), folder)
            print(f"restored; the next numbers are {NUMBERS_LEFT_OUT:,} further on")
    except BackupError as error:
        sys.exit(f"make {chosen.what}: {error}")
    except OSError as error:
        sys.exit(f"make {chosen.what}: {error.filename or folder}: {error.strerror}")
    except KeyboardInterrupt:
        sys.exit(f"make {chosen.what}: interrupted")


if __name__ == "__main__":
    main(sys.argv[1:])
