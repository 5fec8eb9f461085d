"""The release before this one runs on this one's tables: services are upgraded one by one, and back."""

import subprocess
import sys

import pytest

from tests.support import released
from tests.support.running import PROCESSES, running_system
from tests.support.waiting import until
from vssid.smoke import AGENCY
from vssid.walk import Walk

SEED = 20261202


@pytest.fixture(scope="module")
def system(servers, tmp_path_factory):
    """A system of the release before, on databases that this version has migrated."""
    variables = released.unpack(tmp_path_factory.mktemp("released"))
    is_upgraded = set()

    def start_released(system):
        system.environment_of = lambda name: system.environment | (variables if name not in is_upgraded else {})
        system.upgraded, system.variables = is_upgraded, variables

    with running_system(servers, tmp_path_factory.mktemp("system"), before=start_released) as started:
        yield started


def version_of(system, name):
    """Return the folder that a process's code is from."""
    script = "import shared; print(shared.__file__)"
    command = [sys.executable, "-c", script]
    return subprocess.run(command, env=system.environment_of(name), capture_output=True, text=True).stdout


def whole_way(system, walk, person):
    declared = walk.submit(person, AGENCY)
    walk.approve(declared)
    until(lambda: "card_issued" in walk.history(declared), "the card")


def test_services_are_upgraded_one_by_one_and_back(system):
    people = system.prepare(SEED, 2 * len(PROCESSES) + 1)
    walk = Walk(system.url, as_officer=system.officer(SEED))
    assert {version_of(system, name).startswith(system.variables["PYTHONPATH"]) for name in PROCESSES} == {True}
    whole_way(system, walk, people[0])
    steps = [*((name, True) for name in PROCESSES), *((name, False) for name in PROCESSES)]
    for person, (name, is_up) in zip(people[1:], steps, strict=True):
        (system.upgraded.add if is_up else system.upgraded.discard)(name)
        assert version_of(system, name).startswith(system.variables["PYTHONPATH"]) is not is_up
        system.restart(name)
        system.until_ready(name)
        whole_way(system, walk, person)
    system.until_quiet()
    told = [one.to for one in system.texts.messages()]
    assert {person.phone: told.count(person.phone) for person in people} == {person.phone: 2 for person in people}
    assert system.dead() == []


def test_the_release_before_leaves_newer_tables_as_they_are(system):
    done = system.command_in("approval", "migrate")
    assert "every database is up to date" in done
