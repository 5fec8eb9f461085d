"""The clock, Vietnam's time zone, and working days."""

from datetime import UTC, datetime, timedelta, timezone

# A fixed offset: Vietnam has no summer time, and slim images carry no zone data
VIETNAM = timezone(timedelta(hours=7))
HANDLING_DAYS = 3  # working days an agency has from receipt (decree 166/2016, domain.md F-table)


def working_days_before(now: datetime, days: int) -> datetime:
    """Return the moment ``days`` working days (Monday to Friday in Vietnam) before ``now``."""
    moment = now
    while days:
        moment -= timedelta(days=1)
        if moment.astimezone(VIETNAM).weekday() < 5:
            days -= 1
    return moment


def utc_now() -> datetime:
    """The clock of the counters; rules and handlers take the time as an argument."""
    return datetime.now(UTC)


def stamp(moment: datetime) -> str:
    """Return a moment in RFC 3339, UTC, to the millisecond."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
