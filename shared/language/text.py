"""How text is compared, searched and tidied; Vietnamese letters are never lost."""

import unicodedata

# Categories that never belong in a line of text: control, format (direction marks), surrogate, private,
# unassigned, line and paragraph separators
UNPRINTABLE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def has_category(categories: set[str], text: str) -> bool:
    """Say whether a character of the text is of one of Unicode's categories."""
    return any(unicodedata.category(character) in categories for character in text)


def tidy(text: str) -> str:
    """Return the text in NFC, with single spaces inside and none around."""
    return " ".join(unicodedata.normalize("NFC", text).split())


def same_text(one: str, other: str) -> bool:
    """Say whether two names are the same but for case, spaces and Unicode form; accents count."""
    return tidy(one).casefold() == tidy(other).casefold()


def without_accents(text: str) -> str:
    """Return the text with each Vietnamese character folded to its plain one: Đặng → Dang."""
    decomposed = unicodedata.normalize("NFD", text)
    plain = "".join(character for character in decomposed if not unicodedata.combining(character))
    return plain.replace("đ", "d").replace("Đ", "D")


def search_key(text: str) -> str:
    """Return what a name is searched by: no accents, lower case, single spaces."""
    return tidy(without_accents(text)).casefold()
