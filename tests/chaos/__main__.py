"""`make chaos`: N declarations go the whole way while a seeded schedule of faults strikes; 0 where all adds up.

N=10000, SEED=1 and RATE=… (declarations a second) may be set; CHAOS_SERVERS=1 lets the run restart the broker
and the database themselves, which others may be using.
"""

import os
import signal
import sys
from pathlib import Path

from tests.chaos import campaign, report
from tests.support.servers import ensure

FILE = Path("var/chaos.json")


def main() -> int:
    seed, count = int(os.environ.get("SEED") or 1), int(os.environ.get("N") or 10_000)
    rate = float(os.environ.get("RATE") or 12)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("chaos: ended by SIGTERM"))  # what it made is cleared up
    _say(*report.schedule_table(seed, count))
    run = campaign.run(ensure(), seed, count, rate, _say)
    _say(*report.tables(run))
    report.write(run, FILE)
    _say(f"written to {FILE}")
    return 0 if run.ledger.balances else 1


def _say(*lines: str) -> None:
    for line in lines:
        print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
