"""What will go wrong, and when: a pure function of a seed and of how many declarations there are."""

import random
from dataclasses import dataclass
from enum import StrEnum

from tests.support.running import PROCESSES
from vssid.startup import STATEFUL, listener_queues

EVERY = 100  # declarations a fault, until everything on the menu has its turn
FEWEST = 3
WHOLE = 2000  # declarations from which on a hanging server hangs for as long as the issue says
HANG_SECONDS = {True: 30.0, False: 4.0}  # whole runs, and short ones
POISON_EVERY = 100


class Kind(StrEnum):
    """The ways things go wrong."""

    FIRST_START = "first start"
    LOSE_VOLUME = "lose volume"
    KILL = "kill"
    TERMINATE = "terminate"
    FREEZE = "freeze"
    CUT = "cut"
    REFUSE = "refuse"
    HANG = "hang"
    RESTART = "restart"
    FULL = "full"
    FAIL = "fail"
    STALL = "stall"
    LATE = "late"
    DROP = "drop"
    BLIND = "blind"
    AHEAD = "ahead"
    BEHIND = "behind"


@dataclass(frozen=True)
class Fault:
    """Strikes ``target`` once ``after`` declarations have begun, and is undone after ``seconds``."""

    after: int
    kind: Kind
    target: str
    seconds: float

    def __str__(self) -> str:
        return f"{self.kind} {self.target}" + (f" {self.seconds:.1f} s" if self.seconds else "")


@dataclass(frozen=True)
class Poison:
    """An event nobody can read, put into a listener's queue once ``after`` declarations have begun."""

    after: int
    event_id: str
    queue: str  # without the prefix of the run
    body: str


LATECOMER = "notification"  # has never run until a third of the declarations have begun; its queues fill meanwhile
SERVERS = ("broker", "database")
CARRIERS = ("sms", "mail")
SECONDS = {  # how long a fault lasts, from and to; the others are over as soon as they are done
    Kind.FREEZE: (2.0, 5.0),
    Kind.REFUSE: (2.0, 5.0),
    Kind.RESTART: (2.0, 4.0),
    Kind.FULL: (2.0, 4.0),
    **dict.fromkeys((Kind.AHEAD, Kind.BEHIND), (5.0, 10.0)),
    **dict.fromkeys((Kind.FAIL, Kind.STALL, Kind.LATE, Kind.DROP, Kind.BLIND), (3.0, 8.0)),
}
MENU = (
    *((Kind.KILL, name) for name in PROCESSES),
    *((Kind.TERMINATE, name) for name in PROCESSES),
    *((Kind.FREEZE, service) for service in STATEFUL),
    *((kind, server) for kind in (Kind.CUT, Kind.REFUSE, Kind.HANG, Kind.RESTART) for server in SERVERS),
    (Kind.FULL, "store"),
    (Kind.AHEAD, "clock"),
    (Kind.BEHIND, "clock"),
    *((kind, one) for kind in (Kind.FAIL, Kind.STALL, Kind.LATE, Kind.DROP, Kind.BLIND) for one in CARRIERS),
)
BODIES = ("", "not JSON", "[]", "{}", '{"number": "no declaration at all"}', '{"at": "yesterday", "number": 7}')


def faults(seed: int, count: int) -> list[Fault]:
    """Return the faults of a run, in their order; a first start and the loss of the broker's volume come first."""
    chance = random.Random(f"faults {seed} {count}")
    chosen = chance.sample(MENU, min(max(FEWEST, count // EVERY), len(MENU)))
    first = [Fault(count // 3, Kind.FIRST_START, LATECOMER, 0.0), Fault(count // 2, Kind.LOSE_VOLUME, "broker", 0.0)]
    step = (count - first[-1].after) / (len(chosen) + 1)
    places = [
        first[-1].after + round(step * (place + chance.uniform(-0.25, 0.25))) for place in range(1, len(chosen) + 1)
    ]
    others = [
        Fault(after, kind, target, _seconds(chance, kind, count))
        for after, (kind, target) in zip(places, chosen, strict=True)
    ]
    return [*first, *others]


def poison(seed: int, count: int) -> list[Poison]:
    """Return the poison of a run, one for every hundred declarations, in its order.

    It comes when the broker has lost its volume: dead events would be lost with that.
    """
    chance = random.Random(f"poison {seed} {count}")
    queues = sorted(listener_queues(""))
    places = sorted(chance.randrange(2 * count // 3, count) for _ in range(max(1, count // POISON_EVERY)))
    return [
        Poison(after, f"poison-{seed}-{place}", chance.choice(queues), chance.choice(BODIES))
        for place, after in enumerate(places)
    ]


def _seconds(chance: random.Random, kind: Kind, count: int) -> float:
    if kind is Kind.HANG:
        return HANG_SECONDS[count >= WHOLE]
    low, high = SECONDS.get(kind, (0.0, 0.0))
    return round(chance.uniform(low, high), 1)
