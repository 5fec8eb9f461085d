"""The kinds of declaration: for each its form, and what its approval brings about.

A new kind is one entry here, one form in the schemas, and one handler for its effect.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from shared.language.values import DeclarationKind


class Effect(StrEnum):
    """What an approval brings about."""

    OPEN_ACCOUNT = "open_account"
    ADD_CHILD = "add_child"
    CHANGE_ACCOUNT = "change_account"
    CLOSE_ACCOUNT = "close_account"


@dataclass(frozen=True)
class Kind:
    """A row of the table; a kind without a ``form`` is not built yet and cannot be submitted."""

    effect: Effect
    form: str | None = None


KINDS: Mapping[DeclarationKind, Kind] = {
    DeclarationKind.REGISTER: Kind(Effect.OPEN_ACCOUNT, form="DeclarationForm"),
    DeclarationKind.CHILD: Kind(Effect.ADD_CHILD),
    DeclarationKind.ADJUST: Kind(Effect.CHANGE_ACCOUNT),
    DeclarationKind.STOP: Kind(Effect.CLOSE_ACCOUNT),
}


class WrongKind(Exception):
    """A declaration was approved whose kind does not bring about what was to be done."""


def kinds_declared_with(form: str) -> tuple[DeclarationKind, ...]:
    """Return the kinds that are submitted with a form."""
    return tuple(kind for kind, row in KINDS.items() if row.form == form)


def effect_of(kind: str) -> Effect:
    """Return what an approval of this kind brings about.

    Raises:
        WrongKind: no such kind.
    """
    try:
        return KINDS[DeclarationKind(kind)].effect
    except (ValueError, KeyError):
        raise WrongKind(kind) from None


def check_effect(kind: str, wanted: Effect) -> None:
    """Refuse to do for a declaration what its kind does not bring about.

    Raises:
        WrongKind: this is no Problem, because nobody is waiting for an answer: the event goes to the retry queue
            and at last to the dead queue, where the alarm calls an operator. Ignored, an approval would be lost.
    """
    if effect_of(kind) is not wanted:
        raise WrongKind(kind)
