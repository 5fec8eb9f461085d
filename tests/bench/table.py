"""The one table: its figures, how they are printed, and the same as JSON."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tests.bench.load import Outcome, percentile

COLUMNS = ("figure", "value", "p50", "p95", "p99", "ceiling", "ratio", "goal", "remark")


@dataclass
class Figure:
    """One line. ``value`` and ``ceiling`` are in ``unit``; p50, p95 and p99 are seconds."""

    chapter: str
    name: str
    value: float | None = None
    unit: str = ""
    p50: float | None = None
    p95: float | None = None
    p99: float | None = None
    ceiling: float | None = None
    goal: str = ""
    remark: str = ""
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def ratio(self) -> float | None:
        if self.value is None or not self.ceiling:
            return None
        return self.value / self.ceiling

    def cells(self) -> tuple[str, ...]:
        ratio = "" if self.ratio is None else f"{self.ratio:.2f}"
        times = (shown(None if one is None else one * 1000, "ms") for one in (self.p50, self.p95, self.p99))
        value, ceiling = shown(self.value, self.unit), shown(self.ceiling, self.unit)
        return f"{self.chapter}  {self.name}", value, *times, ceiling, ratio, self.goal, self.remark


def rate_of(chapter: str, name: str, outcome: Outcome, **more: Any) -> Figure:
    """Return the figure of a load: good answers a second, and how long they took."""
    remark = [more.pop("remark", ""), f"other answers {outcome.refused}" if outcome.refused else ""]
    return Figure(
        chapter,
        name,
        outcome.rate,
        "/s",
        *quantiles(outcome.took),
        remark="; ".join(one for one in remark if one),
        details={"good": len(outcome.took), "seconds": outcome.seconds, "generator_seconds": outcome.processor},
        **more,
    )


def quantiles(took: list[float]) -> tuple[float | None, ...]:
    return tuple(percentile(took, share) for share in (0.50, 0.95, 0.99))


def listed(parts: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:g}" for name, value in parts.items())


def shown(value: float | None, unit: str) -> str:
    if value is None:
        return ""
    return f"{value:,.0f} {unit}" if value >= 100 else f"{value:.1f} {unit}" if value >= 1 else f"{value:.2f} {unit}"


def text_of(machine: dict[str, Any], figures: list[Figure]) -> str:
    """Return the table as Markdown, which also reads well in a terminal."""
    rows = [COLUMNS, *(one.cells() for one in figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(COLUMNS))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    head = [f"{name}: {value}" for name, value in machine.items()]
    return "\n".join([*head, "", *lines])


def write(file: Path, machine: dict[str, Any], figures: list[Figure]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    rows = [{**asdict(one), "ratio": one.ratio} for one in figures]
    file.write_text(json.dumps({"machine": machine, "figures": rows}, indent=1, ensure_ascii=False) + "\n", "utf-8")
