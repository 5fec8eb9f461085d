"""A mail as people read it, before and after it is laid out."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Letter:
    """The words of a mail. ``facts`` are pairs of label and value; ``link`` is a label and an address, or None."""

    language: str
    sender: str
    subject: str
    title: str
    greeting: str
    lead: str
    facts: tuple[tuple[str, str], ...]
    steps: tuple[str, ...]
    link: tuple[str, str] | None
    warning: str
    footer: str


@dataclass(frozen=True)
class Mail:
    """A letter laid out: as plain text and as HTML."""

    subject: str
    text: str
    html: str
