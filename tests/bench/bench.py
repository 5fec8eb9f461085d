"""What every chapter is given: the servers, how long to measure, and where its figures go."""

import time
from dataclasses import dataclass, field

from tests.bench.carriers import Carriers
from tests.bench.table import Figure
from tests.support.servers import Servers


@dataclass
class Bench:
    """One run. ``quick`` is the small form for a bare machine, ``full`` adds the ten million rows."""

    servers: Servers
    carriers: Carriers
    quick: bool
    full: bool
    figures: list[Figure] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        """How long a load lasts."""
        return 4.0 if self.quick else 15.0

    @property
    def time_limit(self) -> float:
        """How many seconds a whole way may take before what is done is what counts."""
        return 45.0 if self.quick else 240.0

    def add(self, figure: Figure) -> None:
        self.figures.append(figure)
        self.say(" ".join(" ".join(figure.cells()).split()))

    def say(self, text: str) -> None:
        print(f"{time.monotonic() - self.began:6.0f} s  {text}", flush=True)
