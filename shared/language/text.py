"""How text is compared, searched and tidied; Vietnamese letters are never lost."""

import re
import unicodedata

# Categories that never belong in a line of text: control, format (direction marks), surrogate, private,
# unassigned, line and paragraph separators
UNPRINTABLE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
# What a keyboard, a word processor or another alphabet puts in the place of the character that is meant:
# the Icelandic and the African Đ, typographic apostrophes, hyphens and dashes
LOOK_ALIKES = str.maketrans(
    {
        **dict.fromkeys("’ʼʻ‘‛´`′ʹ＇", "'"),
        **dict.fromkeys("ÐƉ", "Đ"),
        **dict.fromkeys("ðɖ", "đ"),
        **dict.fromkeys("‐‑‒–—―−﹣－", "-"),
    }
)
ODD = re.compile(f"[{re.escape(''.join(map(chr, LOOK_ALIKES)))}]")
# what is pasted along, unseen, around a text: spaces, joiners, marks of direction and of byte order
AROUND = "\u00ad\u061c\u200b\u200c\u200d\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\u2066\u2067\u2068\u2069\ufeff"
AROUND += " \t\r\n\u00a0\u2007\u202f\u3000"
LINE_BREAKS = re.compile(r"[\s,]*[\r\n\v\f\u0085\u2028\u2029][\s,]*")
STROKED = str.maketrans("đĐƀɃ", "dDbB")  # characters that Unicode does not decompose
TONES = {"\u0300", "\u0301", "\u0303", "\u0309", "\u0323"}  # huyền, sắc, ngã, hỏi, nặng


def has_category(categories: set[str], text: str) -> bool:
    """Say whether a character of the text is of one of Unicode's categories."""
    return any(unicodedata.category(character) in categories for character in text)


def tidy(text: str) -> str:
    """Return the text in NFC, with single spaces inside and none around."""
    return " ".join(unicodedata.normalize("NFC", text).split())


def as_written(text: str) -> str:
    """Return the text tidy and as a person would write it by hand: H’Hen → H'Hen, Ðặng → Đặng, an–nam → an-nam."""
    text = without_surroundings(text)
    return tidy(text.translate(LOOK_ALIKES) if ODD.search(text) else text)


def without_surroundings(text: str) -> str:
    """Return the text without what is pasted along around it: spaces, line breaks and marks that nobody sees."""
    return text.strip(AROUND)


def on_one_line(text: str) -> str:
    """Return the text with commas where it had line breaks, as an address on several lines is written on one."""
    return LINE_BREAKS.sub(", ", text.strip())


def same_name(one: str, other: str) -> bool:
    """Say whether two names are the same but for case, spaces, Unicode form, look-alikes and the place of the tone.

    Hòa and Hoà are one name; Hoa, Hòa and Hoá are three.
    """
    return _compared(one) == _compared(other)


def same_but_for_accents(one: str, other: str) -> bool:
    """Say whether two names agree once accents are left out."""
    return search_key(one) == search_key(other)


def _compared(name: str) -> str:
    decomposed = unicodedata.normalize("NFD", as_written(name).casefold())
    return " ".join(_with_tones_last(word) for word in decomposed.split(" "))


def _with_tones_last(word: str) -> str:
    tones = [character for character in word if character in TONES]
    return "".join([*(character for character in word if character not in TONES), *tones])


def without_accents(text: str) -> str:
    """Return the text with each Vietnamese character folded to its plain one: Đặng → Dang."""
    decomposed = unicodedata.normalize("NFD", text)
    plain = "".join(character for character in decomposed if not unicodedata.combining(character))
    return plain.translate(STROKED)


def search_key(text: str) -> str:
    """Return what a name is searched by: no accents, lower case, single spaces. It is no longer than the name is."""
    return tidy(without_accents(as_written(text))).lower()
