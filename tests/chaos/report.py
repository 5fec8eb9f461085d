"""What a run says: the schedule before it, the tables after it, and the same as JSON."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.chaos import schedule
from tests.chaos.campaign import Cost, Run


def schedule_table(seed: int, count: int) -> list[str]:
    """Return the schedule as lines; the same seed and count give the same ones."""
    faults, poison = schedule.faults(seed, count), schedule.poison(seed, count)
    lines = [f"chaos: N={count} SEED={seed}: {len(faults)} faults, {len(poison)} poison events"]
    lines += [f"  after {one.after:>6}  {one}" for one in faults]
    return lines


def tables(run: Run) -> list[str]:
    """Return the tables of a run as lines."""
    return [
        "",
        f"{run.count} declarations at {run.rate:g}/s with seed {run.seed}: {run.seconds:.0f} s",
        *_columns("fault", ("how", "lasted s", "well after s", "lost s"), [_cost(one) for one in run.costs]),
        "",
        *_columns("process", ("health p50 ms", "longest ms"), _pulses(run)),
        "",
        f"answers: {', '.join(f'{status} {count}' for status, count in run.answers.items())}",
        *(f"{name}: {count}" for name, count in run.ledger.notes.items()),
        "",
        *_columns("ledger", ("wanted", "found", ""), [_line(one) for one in run.ledger.lines]),
        "",
        "the ledger balances" if run.ledger.balances else "THE LEDGER DOES NOT BALANCE",
    ]


def write(run: Run, file: Path) -> None:
    """Write the run as JSON."""
    file.parent.mkdir(parents=True, exist_ok=True)
    whole: dict[str, Any] = asdict(run)
    whole["balances"] = run.ledger.balances
    file.write_text(json.dumps(whole, indent=2, default=str) + "\n", encoding="utf-8")


def _cost(cost: Cost) -> tuple[str, ...]:
    recovered = "never" if cost.recovered is None else f"{cost.recovered:.1f}"
    return (str(cost.fault), cost.how, f"{cost.lasted:.1f}", recovered, f"{cost.lost:.1f}")


def _pulses(run: Run) -> list[tuple[str, ...]]:
    return [(name, f"{median:.0f}", f"{longest:.0f}") for name, (median, longest) in run.pulses.items()]


def _line(line: Any) -> tuple[str, ...]:
    return (line.name, str(line.wanted), str(line.found), "ok" if line.holds else f"✗ {line.note}")


def _columns(first: str, others: Sequence[str], rows: Sequence[tuple[str, ...]]) -> list[str]:
    whole = [(first, *others), *rows]
    widths = [max(len(row[column]) for row in whole) for column in range(len(whole[0]))]
    fit: Callable[[tuple[str, ...]], str] = lambda row: "  ".join(  # noqa: E731
        cell.ljust(width) for cell, width in zip(row, widths, strict=True)
    ).rstrip()
    return [fit(row) for row in whole]
