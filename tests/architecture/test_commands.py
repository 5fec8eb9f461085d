"""What holds of every command of `vssid`, found by walking them all."""

import ast
import inspect
import re
import textwrap
from collections.abc import Iterator

import click
import pytest

from tests.architecture.sources import ROOT, calls
from vssid.command import vssid

LISTS = {
    *("audit key", "audit list", "audit root", "card groups list", "dead list", "messages list"),
    *("officer list", "officer permissions", "officer sessions"),
}
# they print one thing, what is JSON already, what only developers ask for, or what they did
NO_LISTS = {"key", "dead show", "docs", "outbox replay"}


def commands(group: click.Group = vssid, before: str = "") -> Iterator[tuple[str, click.Command]]:
    """Yield every command that is no group, with its name as an operator types it."""
    context = click.Context(group)
    for word in group.list_commands(context):
        command = group.get_command(context, word)
        if isinstance(command, click.Group):
            yield from commands(command, f"{before}{word} ")
        else:
            yield before + word, command


ALL = dict(commands())


def is_list(name: str, command: click.Command) -> bool:
    """Say whether a command prints row after row: by its name, by what it says of itself, or by how it is written."""
    says_so = (command.help or "").split()[0] in ("List", "Print", "Show") or name.split()[-1] == "list"
    return (says_so or prints_in_a_loop(command.callback)) and name not in NO_LISTS


def prints_in_a_loop(function) -> bool:
    tree = ast.parse(textwrap.dedent(inspect.getsource(inspect.unwrap(function))))
    loops = [node for node in ast.walk(tree) if isinstance(node, ast.For)]
    return any(name in ("click.echo", "print") for loop in loops for name, _ in calls(loop))


def options(command: click.Command) -> set[str]:
    return {name for parameter in command.params for name in parameter.opts}


@pytest.mark.parametrize("name", sorted(name for name, command in ALL.items() if is_list(name, command)))
def test_every_list_has_a_form_for_programs(name):
    assert "--json" in options(ALL[name]), "give it shared.listing.json_option"
    assert "print_rows" in inspect.getsource(inspect.unwrap(ALL[name].callback)), "print by shared.listing.print_rows"


def test_operators_are_told_of_the_lists():
    told = re.findall(r"(?m)^\| `vssid ([a-z ]+)` \| `", (ROOT / "docs" / "operate.md").read_text("utf-8"))
    assert set(told) >= LISTS


def test_the_lists_are_those_that_are_known_here():
    assert {name for name, command in ALL.items() if is_list(name, command)} == LISTS
    assert ALL.keys() >= NO_LISTS


def test_a_list_that_does_not_say_so_is_found():
    @click.command("dossiers")
    def written_by_hand() -> None:
        """Tell what waits."""
        for one in "ab":
            click.echo(one)

    assert is_list("dossiers", written_by_hand)
