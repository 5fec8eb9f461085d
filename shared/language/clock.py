"""The clock, Vietnam's time zone, and working days."""

from datetime import UTC, date, datetime, timedelta, timezone
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from holidays import HolidayBase

# A fixed offset: Vietnam has no summer time, and slim images carry no zone data
VIETNAM = timezone(timedelta(hours=7))
HANDLING_DAYS = 3  # working days an agency has from receipt (decree 166/2016, F-table)


def working_days_before(now: datetime, days: int) -> datetime:
    """Return the moment ``days`` working days of Vietnam before ``now``; on a day off no time passes."""
    moment = now.astimezone(VIETNAM)
    if not is_working_day(moment.date()):
        moment = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    while days:
        moment -= timedelta(days=1)
        days -= is_working_day(moment.date())
    return moment.astimezone(now.tzinfo)


def is_working_day(day: date) -> bool:
    """Say whether offices work on a day of Vietnam: no weekend, no public holiday, no day off in lieu.

    A Saturday that was exchanged for a day off is a working day. Beyond the library's table (1901 to 2100) only
    weekends are free; exchanges are known once the government has announced them and the library was updated.
    """
    return _holidays().is_working_day(day)


@cache
def _holidays() -> "HolidayBase":
    # here, because the package loads every country: 17 MB, for the services that count working days only
    from holidays import country_holidays

    # years at once, because an exchange of days across New Year is listed under one of the two years
    return country_holidays("VN", years=range(2010, 2036))


def vietnam_day(moment: datetime) -> date:
    """Return the day it is in Vietnam."""
    return moment.astimezone(VIETNAM).date()


def vietnam_midnight(moment: datetime) -> datetime:
    """Return when the day that it is in Vietnam began."""
    return moment.astimezone(VIETNAM).replace(hour=0, minute=0, second=0, microsecond=0)


def rfc3339(moment: datetime | str) -> str:
    """Return a UTC time, or one in ISO format, as RFC 3339 to the millisecond."""
    at = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def utc_now() -> datetime:
    """The clock of the entrypoints; rules and handlers take the time as an argument."""
    return datetime.now(UTC)
