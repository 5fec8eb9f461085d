"""The fault suite itself: its schedule is known beforehand, and a small run of it adds up."""

import os
import subprocess
import sys

from tests.chaos import campaign, report, schedule

SEED, COUNT, RATE = 128, 300, 15  # a seed that strikes a service, a carrier and the broker


def test_the_same_seed_gives_the_same_schedule_in_every_process():
    script = "from tests.chaos import report; print(*report.schedule_table(7, 5000), sep='\\n')"
    command, environment = [sys.executable, "-W", "ignore", "-c", script], {**os.environ, "PYTHONHASHSEED": "1"}
    told = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=60).stdout
    assert told.splitlines() == report.schedule_table(7, 5000)
    assert schedule.poison(7, 5000) == schedule.poison(7, 5000)


def test_another_seed_gives_another_schedule():
    assert schedule.faults(1, 5000) != schedule.faults(2, 5000)
    assert schedule.poison(1, 5000) != schedule.poison(2, 5000)


def test_a_whole_run_does_everything_there_is_to_do():
    whole = schedule.faults(1, 10_000)
    assert {(one.kind, one.target) for one in whole} == {
        *schedule.MENU,
        (schedule.Kind.FIRST_START, schedule.LATECOMER),
        (schedule.Kind.LOSE_VOLUME, "broker"),
    }
    assert [one.after for one in whole] == sorted(one.after for one in whole)
    assert whole[0].after > 0 and whole[-1].after < 10_000
    assert len(schedule.poison(1, 10_000)) == 100


def test_three_faults_a_first_start_a_lost_volume_and_poison_among_three_hundred_declarations_leave_the_ledger_balanced(
    servers,
):
    run = campaign.run(servers, SEED, COUNT, RATE, print)
    print(*report.tables(run), sep="\n")
    assert [line for line in run.ledger.lines if not line.holds] == []
    assert len(run.costs) == schedule.FEWEST + 2  # and a first start, and a lost volume
    assert len(run.ledger.lines) > 20
