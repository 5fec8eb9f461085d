"""`vssid` with a clock that can be changed, as if somebody had changed the clock of the machine.

A file holds by how many seconds the clock on the wall is wrong; the clock that measures time goes on. libfaketime
does that to a whole process, but the interpreter's lock waits by the clock too, and then spins.
"""

import mmap
import os
import struct
import time
from datetime import datetime, tzinfo
from pathlib import Path

from shared.language import clock as language_clock
from vssid import command

WRONG_BY = struct.Struct("d")
VARIABLE = "CHAOS_CLOCK"


def set_clock(clock: Path, seconds: float) -> None:
    """Change the clock of every process that looks at this file, at once."""
    with clock.open("r+b" if clock.exists() else "wb") as file:
        file.write(WRONG_BY.pack(seconds))


def main() -> None:
    """Run the command; everything that asks for the time asks one of these two."""
    with Path(os.environ[VARIABLE]).open("rb") as file:
        wrong = mmap.mmap(file.fileno(), WRONG_BY.size, access=mmap.ACCESS_READ)
    right = time.time

    def now() -> float:
        return right() + float(WRONG_BY.unpack_from(wrong)[0])

    class Clock(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
            return datetime.fromtimestamp(now(), tz)

    time.time = now
    language_clock.datetime = Clock  # type: ignore[misc]
    command.main()


if __name__ == "__main__":
    main()
