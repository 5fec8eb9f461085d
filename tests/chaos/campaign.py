"""A whole run: a system, its load, the faults in their turn, and the ledger at the end."""

import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from shared.language.clock import utc_now
from tests.chaos import clockwork, schedule
from tests.chaos.damage import LeftOut, small_disk, strike
from tests.chaos.drive import Drive
from tests.chaos.injection import EventInjector
from tests.chaos.ledger import Ledger, balance
from tests.chaos.receipts import Receipts
from tests.chaos.schedule import CARRIERS, Fault
from tests.chaos.watch import Watch
from tests.support.running import PROCESSES, FaultySystem, running_system
from tests.support.servers import Servers
from tests.support.waiting import until

RECOVERS_WITHIN = 150.0  # seconds after a fault until everything begun before has its card
UNTOLD = "state IN ('queued', 'sending', 'unknown')"
CALM_SECONDS = 3.0  # between two faults that tell something of the pace without any
SETTLES_WITHIN = 300.0  # seconds after the last declaration until nothing is under way any more
# seconds between the attempts at a failed event; all of them together are longer than the longest fault of a run
DELAYS = {True: "1,2,5,10,20,30", False: "0.5,1,2,4"}
PUBLIC = "https://vssid.example"  # where carriers are told to call back; their receipts are brought to the gateway


@dataclass(frozen=True)
class Cost:
    """What a fault cost, in seconds.

    ``recovered`` is how long after its end everything begun by then had its card, and everybody whose carrier
    was hit had their message; ``lost`` is how much steady work is missing.
    """

    fault: Fault
    how: str
    lasted: float
    recovered: float | None
    lost: float


@dataclass(frozen=True)
class Run:
    """What there is to say of a run."""

    seed: int
    count: int
    rate: float
    seconds: float
    costs: list[Cost]
    ledger: Ledger
    pulses: dict[str, tuple[float, float]]
    answers: dict[str, int]


class Campaign:
    """Has the faults strike in their turn: each when its place is reached and the one before is over."""

    def __init__(self, system: FaultySystem, drive: Drive, watch: Watch, say: Callable[[str], None]) -> None:
        self._system, self._drive, self._watch, self._say = system, drive, watch, say
        self.costs: list[Cost] = []
        self.failures: list[str] = []
        self._calm_since, self._cards_then, self._pace = time.monotonic(), watch.cards, drive.rate

    def run(self, faults: list[Fault]) -> None:
        gate = self._drive.gate
        try:
            for place, fault in enumerate(faults):
                gate.open(fault.after)
                gate.reach(fault.after)
                gate.open(faults[place + 1].after if place + 1 < len(faults) else float("inf"))
                self._suffer(fault)
        finally:
            gate.open(float("inf"))

    def _suffer(self, fault: Fault) -> None:
        began, cards = time.monotonic(), self._watch.cards
        self._learn_pace(began, cards)
        try:
            with self._watch.sparing(fault.target):
                how = strike(self._system, fault)
        except LeftOut as reason:
            how = f"left out: {reason}"
        except Exception as error:
            how = f"{type(error).__name__}: {error}"
            self.failures.append(f"{fault}: {how}")
        ended, begun = time.monotonic(), self._drive.gate.begun
        untold = f"queued_at < '{utc_now().isoformat()}' AND {UNTOLD}" if fault.target in CARRIERS else "false"
        recovered = self._recover(ended, begun, untold)
        self._calm_since, self._cards_then = time.monotonic(), self._watch.cards
        lost = max(0.0, (self._calm_since - began) - (self._cards_then - cards) / self._pace)
        self.costs.append(Cost(fault, how, ended - began, recovered, lost))
        if recovered is None:
            self.failures.append(f"{fault}: not recovered within {RECOVERS_WITHIN:.0f} s")
        self._say(f"after {fault.after:>6}  {fault}: {how}; recovered {recovered and round(recovered, 1)} s after")

    def _learn_pace(self, now: float, cards: int) -> None:
        """Take the cards a second since the last fault was over as what this machine makes when all is well."""
        calm, made = now - self._calm_since, cards - self._cards_then
        if calm > CALM_SECONDS and made:
            self._pace = min(made / calm, self._drive.rate)

    def _recover(self, ended: float, begun: int, untold: str) -> float | None:
        """Wait until everything begun has its card and nobody waits for a message; return the seconds that took."""
        while time.monotonic() - ended < RECOVERS_WITHIN:
            carded = self._watch.cards >= begun - len(self._drive.lost)
            if carded and not self._system.count("notification", "messages", untold):
                return time.monotonic() - ended
            time.sleep(0.2)
        return None


def run(servers: Servers, seed: int, count: int, rate: float, say: Callable[[str], None]) -> Run:
    """Do a whole run on a system of its own."""
    began = time.monotonic()

    def tell(text: str) -> None:
        say(f"{time.monotonic() - began:6.0f} s  {text}")

    with _folder() as folder, small_disk(folder / "store"):
        store = (folder / "store").as_uri()
        delays = DELAYS[count >= schedule.WHOLE]
        # few workers: the connections of the database are shared with everything else on this machine
        fixed = {"STORE_URL": store, "RETRY_DELAYS": delays, "WORKERS": "4", "PUBLIC_URL": PUBLIC}
        clock = folder / "clock"
        clockwork.set_clock(clock, 0)
        fixed[clockwork.VARIABLE] = str(clock)
        there = [name for name in PROCESSES if name != schedule.LATECOMER]
        with running_system(servers, folder, there, program=clockwork.__name__, **fixed) as system:
            return _run(
                system, EventInjector(servers.amqp_url, system.settings.broker_prefix), seed, count, rate, began, tell
            )


def _run(
    system: FaultySystem,
    injector: EventInjector,
    seed: int,
    count: int,
    rate: float,
    began: float,
    say: Callable[[str], None],
) -> Run:
    say("the system is ready")
    people = system.prepare(seed, count)
    drive, watch = Drive(system.url, system.officer(seed), rate), Watch(system)
    campaign = Campaign(system, drive, watch, say)
    poison = schedule.poison(seed, count)
    injector.tap()
    with watch.looking(), Receipts(system).running() as receipts:
        poisoning = injector.put_all(drive.gate, poison)
        faults = schedule.faults(seed, count)
        striking = threading.Thread(target=campaign.run, args=(faults,), daemon=True, name="faults")
        striking.start()
        drive.run(people)
        striking.join()
        poisoning.join()
        say(f"{len(drive.declared)} declared, {len(drive.decided)} decided; waiting until nothing is under way")
        troubles = [*campaign.failures, *_settle(system, drive, watch)]
        receipts.wait_for_all()
        say("nothing is under way any more; counting, and replaying the dead")
        ledger = balance(system, injector, drive, poison, receipts, [*watch.hung, *troubles])
    return Run(
        seed=seed,
        count=count,
        rate=rate,
        seconds=time.monotonic() - began,
        costs=campaign.costs,
        ledger=ledger,
        pulses={name: watch.pulse(name) for name in system.processes},
        answers=dict(sorted(drive.answers.counts.items())),
    )


def _settle(system: FaultySystem, drive: Drive, watch: Watch) -> list[str]:
    """Wait until nothing is under way any more; return what did not end."""
    try:
        until(lambda: watch.cards >= len(drive.decided), "a card for every decision", SETTLES_WITHIN)
        system.until_quiet(SETTLES_WITHIN)
    except TimeoutError as unsettled:
        return [str(unsettled)]
    return []


@contextmanager
def _folder() -> Iterator[Path]:
    """Make a folder for the system; its logs are kept where CHAOS_LOGS says so."""
    folder = Path(tempfile.mkdtemp(prefix="vssid-chaos-"))
    try:
        yield folder
    finally:
        kept = os.environ.get("CHAOS_LOGS")
        if kept:
            Path(kept).mkdir(parents=True, exist_ok=True)
            for log in folder.glob("*.log"):
                shutil.copy(log, kept)
        shutil.rmtree(folder, ignore_errors=True)
