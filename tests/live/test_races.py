"""Two officers decide at the same instant: one decision each, and one consequence."""

import os
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import requests

from tests.support.waiting import until
from vssid.smoke import AGENCY
from vssid.walk import Walk

RACES = int(os.environ.get("LIVE_N", "200"))
SEED, SECOND = 20210601, 20210602
REJECTION = ("rejection", {"reason": "Ảnh không rõ"})


def test_of_two_decisions_at_the_same_instant_one_stands(system):
    people = system.prepare(SEED, RACES)
    system.prepare(SECOND, 1)
    officer = system.officer(SEED)
    with ThreadPoolExecutor(6) as pool:
        declared = list(pool.map(lambda one: Walk(system.url).submit(one, AGENCY), people))
    numbers = [one["number"] for one in declared]
    codes = {one["number"]: one["tracking_code"] for one in declared}
    listed = ", ".join(f"'{number}'" for number in numbers)
    until(lambda: system.count("approval", "reviews", f"number IN ({listed})") == RACES, "every review is open")
    cards_before = system.count("cards", "cards")

    second = system.officer(SECOND)
    verdicts = Counter()
    for place, number in enumerate(numbers):
        approval = ("approval", {"identity_checked": True, "tracking_code": codes[number]})
        other = REJECTION if place % 2 else approval
        verdicts.update(race(system.url, number, (officer, approval), (second, other)))

    assert verdicts["refused"] == RACES
    assert verdicts["approved"] + verdicts["rejected"] == RACES
    system.until_quiet()
    until(
        lambda: system.count("cards", "cards") - cards_before == verdicts["approved"],
        "a card for each approval, and for nothing else",
    )
    for status in ("approved", "rejected"):
        where = f"status = '{status}' AND number IN ({listed})"
        assert system.count("registration", "declarations", where) == verdicts[status]
        assert system.count("approval", "reviews", where) == verdicts[status]
    kept = "SELECT act, count(*) FROM journal_entries WHERE act IN ('approved', 'rejected') GROUP BY act"
    assert Counter(dict(system.rows("approval", kept))) + Counter(refused=RACES) == verdicts
    addresses = "SELECT DISTINCT address FROM journal_entries WHERE officer <> ''"
    assert system.rows("approval", addresses) == [("127.0.0.1",)]
    assert "as they were written" in system.command("audit", "verify")
    print(f"\n{RACES} races: {dict(verdicts)}")


def race(url, number, *decisions):
    """Let two officers decide at once; return what became of each decision."""
    start = threading.Barrier(2)

    def decide(officer, decision):
        act, body = decision
        start.wait()
        headers = officer.officer_headers
        answer = requests.post(f"{url}/api/v1/officer/reviews/{number}/{act}", json=body, headers=headers, timeout=15)
        if answer.status_code == 200:
            return answer.json()["status"]
        assert (answer.status_code, answer.json()["code"]) == (409, "already_decided"), answer.text
        return "refused"

    with ThreadPoolExecutor(2) as pool:
        return [one.result() for one in [pool.submit(decide, *decision) for decision in decisions]]
