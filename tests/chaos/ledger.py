"""Does it add up? Everything accepted is decided, activated, has its card, and everybody got each message once."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from shared.messaging import topology
from shared.messaging.dead_letters import RabbitMqDeadLetters
from tests.chaos.drive import Drive
from tests.chaos.injection import EventInjector
from tests.chaos.receipts import Receipts
from tests.chaos.schedule import Poison
from tests.support.running import FaultySystem
from tests.support.waiting import until
from vssid.people import DemoPerson
from vssid.startup import STATEFUL, event_queues, listener_queues

RESTS_WITHIN = 180.0  # seconds a poison event may take through all its attempts
CHANGING = ("outbox", "idempotency_keys")  # tables that change while nothing happens
REPLAYS = 2


@dataclass(frozen=True)
class Line:
    """One thing that has to add up."""

    name: str
    wanted: int
    found: int
    note: str = ""

    @property
    def holds(self) -> bool:
        return self.wanted == self.found


@dataclass
class Ledger:
    """Lines that have to add up, and notes: what only needs saying."""

    lines: list[Line] = field(default_factory=list)
    notes: dict[str, int] = field(default_factory=dict)

    def add(self, name: str, wanted: int, found: int, note: str = "") -> None:
        self.lines.append(Line(name, wanted, found, note))

    def none(self, name: str, found: Sequence[str]) -> None:
        """Add a line for what must not be; the first few stand in its note."""
        self.add(name, 0, len(found), "; ".join(found[:3]))

    @property
    def balances(self) -> bool:
        return all(line.holds for line in self.lines)


def balance(
    system: FaultySystem,
    injector: EventInjector,
    drive: Drive,
    poison: Sequence[Poison],
    receipts: Receipts,
    troubles: Sequence[str],
) -> Ledger:
    """Count everything, replay the dead twice, and count again."""
    ledger = Ledger()
    _count_declarations(ledger, system, drive)
    _count_messages(ledger, system, drive.declared)
    ledger.none("receipts refused", receipts.refused)
    delivered = system.count("notification", "messages", "delivery = 'delivered'")
    ledger.add("receipts out of order and doubled = delivered", receipts.delivered, delivered)
    ledger.add("events left in outboxes", 0, sum(system.count(service, "outbox") for service in STATEFUL))
    dead = DeadEvents(system, injector)
    dead.wait_for(len(poison))
    _count_dead(ledger, dead, poison)
    for turn in range(1, REPLAYS + 1):
        _replay(ledger, system, injector, dead, turn)
    ledger.add("events left in queues", 0, injector.waiting(dead.living))
    ledger.none("answers that broke (500)", [f"{count} x {path}" for path, count in drive.answers.broke.items()])
    ledger.none("processes that hung or did not recover", troubles)
    return ledger


def _count_declarations(ledger: Ledger, system: FaultySystem, drive: Drive) -> None:
    accepted = len(drive.declared)
    ledger.none("people whose declaration got stuck", drive.lost)
    ledger.add("accepted = declarations kept", accepted, system.count("registration", "declarations"))
    ledger.add("accepted = decided", accepted, system.count("approval", "reviews", "status = 'approved'"))
    ledger.add("accepted = approved at registration", accepted, system.count("registration", "declarations", APPROVED))
    ledger.add("accepted = activated", accepted, system.count("registration", "accounts"))
    ledger.add("accepted = cards", accepted, system.count("cards", "cards"))
    ledger.add("accepted = cards known to the applicant", accepted, system.count("registration", "declarations", NOTED))


APPROVED = "status = 'approved'"
NOTED = "history::text LIKE '%card_issued%'"


def _count_messages(ledger: Ledger, system: FaultySystem, declared: dict[str, DemoPerson]) -> None:
    rows = [MessageRow(*row) for row in system.rows("notification", f"SELECT {COLUMNS} FROM messages")]
    for channel, address, counted in (
        ("sms", "phone", system.texts.counts()),
        ("mail", "email", system.mails.counts()),
    ):
        ours = [row for row in rows if row.channel == channel]
        ledger.add(f"{channel}: two for everybody", 2 * len(declared), len(ours))
        arrived = Counter(to for to, _ in counted)  # different texts a person
        sent = Counter(getattr(declared[row.number], address) for row in ours if row.state == "sent")
        unsure = Counter(getattr(declared[row.number], address) for row in ours if _is_open(row))
        twice = [to for to, _ in counted if counted[to, _] > 1 and not unsure[to]]
        ledger.none(f"{channel}: told twice", twice)
        ledger.none(f"{channel}: sent, never arrived", list((sent - arrived).elements()))
        ledger.none(f"{channel}: arrived, not written down", list((arrived - sent - unsure).elements()))
        ledger.notes[f"{channel}: settled by asking the carrier"] = sum(row.settled_by == "lookup" for row in ours)
        ledger.notes[f"{channel}: openly unknown or failed"] = sum(map(_is_open, ours))


class MessageRow(NamedTuple):
    """What a run wants to know of a message."""

    number: str
    channel: str
    state: str
    settled_by: str | None


COLUMNS = ", ".join(MessageRow._fields)


def _is_open(row: MessageRow) -> bool:
    """Return whether the table itself says that the outcome is not known."""
    return row.state in ("unknown", "failed") or row.settled_by == "sent_again"


class DeadEvents:
    """The dead queues of a run."""

    def __init__(self, system: FaultySystem, injector: EventInjector) -> None:
        self._injector = injector
        prefix = system.settings.broker_prefix
        listening = listener_queues(prefix)
        self._queues = [topology.dead_name(queue) for queue in listening]
        dead = set(self._queues)
        self.living = [queue.name for queue in event_queues(system.settings) if queue.name not in dead]
        self._prefix = prefix
        self._dead = RabbitMqDeadLetters(system.settings, listening)

    def wait_for(self, count: int) -> None:
        """Wait until so many rest there and nothing else is on its way; what is missing then shows in the ledger."""
        try:
            until(lambda: self._rests(count), "the dead rest", RESTS_WITHIN, pause=1)
        except TimeoutError:
            return

    def _rests(self, count: int) -> bool:
        return self._injector.waiting(self._queues) >= count and self._injector.waiting(self.living) == 0

    def list(self) -> list[tuple[str, str]]:
        """Return (queue without prefix, id) of every dead event."""
        return [(one.queue.removeprefix(self._prefix), one.event_id) for one in self._dead.all()]


def _count_dead(ledger: Ledger, dead: DeadEvents, poison: Sequence[Poison]) -> None:
    wanted, found = {(one.queue, one.event_id) for one in poison}, dead.list()
    ledger.add("poison in its dead queue", len(wanted), len(wanted & set(found)))
    ledger.none("dead and no poison", [f"{queue} {id_}" for queue, id_ in found if (queue, id_) not in wanted])
    ledger.notes["dead poison events"] = len(found)


def _replay(ledger: Ledger, system: FaultySystem, injector: EventInjector, dead: DeadEvents, turn: int) -> None:
    """Add true events to the dead ones, replay all of them, and see that nothing changed."""
    before, told, resting = _snapshot(system), _told(system), len(dead.list())
    added = injector.add_to_dead(injector.tapped())
    system.command("dead", "replay")
    dead.wait_for(resting)
    after = _snapshot(system)
    changed = [table for table in before if before[table] != after.get(table)]
    ledger.none(f"replay {turn}: tables changed by {added} events once more", changed)
    ledger.add(f"replay {turn}: messages sent again", 0, _told(system) - told)
    ledger.add(f"replay {turn}: dead as before", resting, len(dead.list()))


def _told(system: FaultySystem) -> int:
    return len(system.texts.messages()) + len(system.mails.messages())


def _snapshot(system: FaultySystem) -> dict[str, str]:
    """Return a fingerprint of every table."""
    found = {}
    for service in STATEFUL:
        for (table,) in system.rows(service, "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1"):
            if table not in CHANGING:
                whole = f"SELECT count(*), md5(string_agg(t::text, ',' ORDER BY t::text)) FROM {table} t"
                found[f"{service}.{table}"] = str(system.rows(service, whole)[0])
    return found
