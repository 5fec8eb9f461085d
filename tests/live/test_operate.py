"""Every command of docs/operate.md is run as it stands there, in bash, on a running system.

There are no containers here, so a program called `docker` stands before the processes: what the document runs in the
container of a process runs with its environment. What only Docker can do is in `DOCKER`, for test_compose.py.
"""

import re
import secrets
import subprocess
from pathlib import Path

import pika
import pytest

from shared.messaging import topology
from shared.messaging.declarations import blocking_channel
from shared.storage.seals import new_key
from tests.support.documents import OPERATE
from tests.support.processes import COMMAND
from tests.support.running import PROCESSES, running_system
from tests.support.servers import ensure_program
from tests.support.waiting import until
from vssid.smoke import AGENCY, officer_of
from vssid.walk import Walk

SEED = 20261203
PASSWORD = secrets.token_urlsafe()
WORDS = ("vssid ", "docker ", "curl ", "printf ")
# what only Docker, git or a server of one's own can do
DOCKER = {
    "docker compose ps",
    "docker compose up -d",
    "docker compose up -d --build --wait",
    "docker compose up -d --scale gateway=2",
    "docker compose up -d --wait postgres",
    "docker compose up -d postgres",
    "docker compose stop",
    "docker compose stop gateway registration approval notification cards relay",
    "docker compose stop proxy gateway registration approval notification cards relay",
    "docker compose restart SERVICE",
    "docker compose kill -s HUP proxy",
    "docker compose run --rm certificate",
    "docker compose rm -sf certificate proxy && docker volume rm vssid_certificate",
    "docker compose rm -sf postgres && docker volume rm vssid_postgres",
    "docker compose exec -T postgres pg_dumpall --clean --if-exists -U vssid > dump.sql",
    "docker compose exec -T postgres psql -q -o /dev/null -U vssid -d postgres < dump.sql",
    r"docker compose exec postgres psql -U vssid -c '\password'",
    "docker compose exec rabbitmq rabbitmqctl enable_feature_flag all",
    "docker compose run --rm definitions && docker compose exec rabbitmq rabbitmqctl import_definitions"
    " /etc/rabbitmq/definitions/definitions.json && make up",
}
# they name a command without all that it takes, or one that stays; the other tests run these
MENTIONED = {
    *("vssid run", "vssid demo", "vssid dead", "vssid definitions", "vssid register import", "vssid officer add"),
    *(
        "vssid dead show",
        "vssid dead replay",
        "vssid card levels import",
        "vssid messages retry ID",
        "vssid officer otp",
    ),
    *("vssid audit verify --roots", "vssid audit list --officer", "vssid outbox replay", "vssid …"),
    "docker compose exec registration vssid …",
}
FILES = {
    "register": "insurance_code,full_name,birth_date,gender,id_number\n7901234567,Nguyễn Văn Thử,1985-08-15,male,\n",
    "agency": "code,name,province_code\n07999,BHXH cơ sở Thử,79\n",
    "card levels": "group_code,name,payer,level,valid_from\nZZ,Nhóm thử,fund,4,2026-01-01\n",
    "card groups": "insurance_code,group_code,valid_from\n7901234567,HN,2026-01-01\n",
}
STANDS_FOR_DOCKER = """#!/bin/bash
shift
verb=$1
shift
while [[ $1 == -* ]]; do [ "$1" = --since ] && shift; shift; done
case $verb in
exec) shift; exec "$@" ;;
run) [ $# -gt 1 ] && shift; exec vssid "$@" ;;
logs) exec cat "$LOGS"/*.log ;;
esac
exit 64
"""


def commands():
    """Return every command of the document: the lines of its blocks, without comments, and what stands in a line."""
    text = OPERATE.read_text("utf-8")
    blocks = re.findall(r"(?ms)^```\n(.*?)^```", text)
    lines = [re.split(r"\s+# ", line)[0].strip() for block in blocks for line in block.splitlines()]
    inline = re.findall(r"(?<!`)`([^`\n]+)`(?!`)", re.sub(r"(?ms)^```\n.*?^```", "", text))
    found = [line for line in (*lines, *inline) if line.startswith(WORDS)]
    return sorted(dict.fromkeys(one for line in found for one in alternatives(line)))


def alternatives(line):
    """Return a command without and with what it may be given: `[USERNAME] [--end]`."""
    if "[" not in line.partition("|")[0]:
        return [line]
    return [re.sub(r" \[[^\]]+\]", "", line), re.sub(r"\[([^\]]+)\]", r"\1", line)]


RUN = [one for one in commands() if one not in DOCKER | MENTIONED]


@pytest.fixture(scope="module")
def system(servers, tmp_path_factory):
    """A system in which something has happened: a declaration decided, messages that wait."""
    ensure_program("jq", "jq")
    users = " ".join(f"{name}:{secrets.token_urlsafe()}" for name in ("administrator", *PROCESSES))
    settings = {"OFFICER_KEY": new_key(), "RETRY_DELAYS": "0.2,0.3,600", "BROKER_USERS": users}
    with running_system(servers, tmp_path_factory.mktemp("system"), **settings) as started:
        people = started.prepare(SEED, 2)
        walk = Walk(started.url, as_officer=started.officer(SEED))
        declared = walk.submit(people[0], AGENCY)
        walk.approve(declared)
        until(lambda: "card_issued" in walk.history(declared), "the card")
        started.until_quiet()
        started.texts.sending.fail(429)
        walk.submit(people[1], AGENCY)
        until(lambda: started.command("messages", "list", "--state", "queued"), "a message waits")
        started.number = declared["number"]
        yield started


@pytest.fixture
def shell(system, tmp_path):
    """Return a function that runs a line of the document, placeholders filled in, in a folder of its own."""
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "docker").write_text(STANDS_FOR_DOCKER)
    (programs / "docker").chmod(0o755)
    path = f"{programs}:{COMMAND.parent}:{system.environment['PATH']}"
    places = {"PATH": path, "LOGS": str(system.folder), "PASSWORD": PASSWORD}

    def run(line):
        command = ["bash", "-o", "pipefail", "-c", line]
        environment = {**system.environment, **places}
        return subprocess.run(
            command, env=environment, cwd=tmp_path, input=f"{PASSWORD}\n", capture_output=True, text=True, timeout=120
        )

    return run


def dead_event(system):
    """Put an event into a dead queue; return its id and its queue."""
    event_id, queue = secrets.token_hex(8), f"{system.settings.broker_prefix}cards.on_card_requested"
    headers = {topology.ID: event_id, topology.TYPE: f"{topology.TYPES}card_requested", topology.ERROR: "a test"}
    with blocking_channel(system.settings) as channel:
        channel.basic_publish("", topology.dead_name(queue), b"{}", pika.BasicProperties(headers=headers))
    return event_id, queue


def filled_in(line, system, folder, shell):
    """Return a line with something in place of each placeholder, after making sure that it is there."""
    event_id, queue = dead_event(system) if "vssid dead" in line else ("", "")
    kind = re.match(r".*vssid (card \w+|\w+) import", line)
    if kind:
        name = line.split()[-1]
        (folder / name.replace("/", "_")).write_text(FILES[kind[1]], "utf-8")
    if "USERNAME" in line and " officer add " not in line:
        assert shell(f"vssid officer add nguoi.thu --agency {AGENCY}").returncode == 0
    if "MESSAGE_ID" in line:
        line = line.replace("MESSAGE_ID", system.command("messages", "list", "--state", "queued").split()[0])
    values = {
        "EVENT_ID": event_id,
        "QUEUE": queue,
        "USERNAME": "nguoi.thu",
        "canbo.mot": officer_of(SEED),
        "2026-0000123": system.number,
        "http://127.0.0.1:8000": system.url,
        "drop --id": "drop --yes --id",
    }
    for placeholder, value in values.items():
        line = line.replace(placeholder, value)
    return line


def test_the_document_has_commands_and_each_is_accounted_for():
    assert len(RUN) > 30
    assert set(commands()) | {"vssid …"} >= DOCKER | MENTIONED, "the document has these no longer"


@pytest.mark.parametrize("line", RUN, ids=lambda line: re.sub(r"\W+", "-", line))
def test_a_command_of_the_document_works(system, shell, tmp_path, line):
    if "roots.txt" in line:
        assert shell("vssid audit root > roots.txt").returncode == 0
    done = shell(filled_in(line, system, tmp_path, shell))
    assert done.returncode == 0, f"{done.stdout}{done.stderr}"
    assert "Traceback" not in done.stderr


def test_the_log_search_finds_errors_and_nothing_else(system, shell):
    (line,) = (one for one in RUN if " logs " in one and "grep" in one)
    until(lambda: shell(line).stdout, "a warning: the carrier does not take messages")
    found = shell(line).stdout.splitlines()
    assert all('"level":"warning"' in one or '"level":"error"' in one for one in found)
    written = "".join(path.read_text("utf-8") for path in Path(system.folder).glob("*.log"))
    assert len(written.splitlines()) > len(found)
