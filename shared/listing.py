"""What the lists of the operators' command print: a line a row for people, or with `--json` one JSON object a line.

Both are made from the same rows, so that neither shows more than the other.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import click
import orjson

Row = Mapping[str, Any]  # times as text, in UTC; None for what is not known, or not there


def json_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command that lists something the option `--json`, as ``as_json``."""
    return click.option("--json", "as_json", is_flag=True, help="print one JSON object a line")(command)


def print_rows(rows: Iterable[Row], *, as_json: bool, text: Callable[[Row], str]) -> None:
    """Print rows, as JSON or by ``text``."""
    for row in rows:
        click.echo(orjson.dumps(row) if as_json else text(row))


def tabbed(row: Row) -> str:
    """Return the values of a row with tabs between them."""
    return _joined("\t", row)


def spaced(row: Row) -> str:
    """Return the values of a row with two spaces between them."""
    return _joined("  ", row)


def _joined(separator: str, row: Row) -> str:
    return separator.join("-" if value is None else str(value) for value in row.values())
