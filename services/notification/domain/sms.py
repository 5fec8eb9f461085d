"""What fits into an SMS: the GSM-7 alphabet, Vietnamese folded into it, and segments as carriers count them."""

import unicodedata
from bisect import bisect_right
from collections.abc import Iterable
from itertools import count

# anyascii: a readable ASCII spelling for characters of every script, so that nothing ever becomes "?"
from anyascii import anyascii

from shared.language.text import tidy, without_accents

# GSM 03.38, the default alphabet and its extension; escape and form feed are for handsets, not for texts
GSM_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)
GSM_EXTENDED = frozenset("^{}\\[~]|€")
GSM = GSM_BASIC | GSM_EXTENDED
GSM_ALONE, GSM_JOINED = 160, 153  # septets in the only segment, and in one of several
UCS_ALONE, UCS_JOINED = 70, 67  # the same in 16-bit units
SEGMENTS = 2  # what a message may cost
CUT = "..."
SHORTEST_CUT = 12  # characters of a shortened value that still say something


def folded(text: str) -> str:
    """Return the text in GSM-7, character by character: Nguyễn → Nguyen, 안 → An; never a "?" that was not there."""
    return "".join(_folded_character(character) for character in unicodedata.normalize("NFKC", text))


def _folded_character(character: str) -> str:
    plain = without_accents(character)
    if all(one in GSM for one in plain):
        return plain
    spelled = anyascii(character).replace("?", "").replace("`", "'")
    return "".join(one for one in spelled if one in GSM)


def is_gsm(text: str) -> bool:
    return all(character in GSM for character in text)


def segments(text: str) -> int:
    """Return how many segments a carrier bills for the text, in GSM-7 where it can be, else in UCS-2."""
    if is_gsm(text):
        return _packed([2 if character in GSM_EXTENDED else 1 for character in text], GSM_ALONE, GSM_JOINED)
    return _packed([len(character.encode("utf-16-be")) // 2 for character in text], UCS_ALONE, UCS_JOINED)


def _packed(sizes: Iterable[int], alone: int, joined: int) -> int:
    """Count segments; a character of two units is never split, it opens the next segment."""
    sizes = list(sizes)
    if sum(sizes) <= alone:
        return 1
    full, used = 1, 0
    for size in sizes:
        if used + size > joined:
            full, used = full + 1, 0
        used += size
    return full


def composed(start: str, advice: str, end: str, values: dict[str, str], *, shortens: str, accents: bool) -> str:
    """Return an SMS of the three parts, in two segments wherever that is possible.

    Where they are too long, ``advice`` is left out first, then the value called ``shortens`` is cut. Only a
    text whose other parts need more already takes more: with accents, the link alone fills a segment and more.
    """
    spelled = _composed_characters if accents else folded
    start, advice, end = spelled(start), spelled(advice), spelled(end)
    written = {name: tidy(spelled(value)) for name, value in values.items()}
    texts = [template.format_map(written) for template in (start + advice + end, start + end)]
    for limit in count(SEGMENTS):
        for text in texts:
            if segments(text) <= limit:
                return text
        cut = _shortened(start + end, written, shortens, limit)
        if cut is not None:
            return cut
    raise AssertionError("count() has no end")


def _shortened(template: str, values: dict[str, str], shortens: str, limit: int) -> str | None:
    """Return the text with one value cut as little as possible, or None where no cut fits it into the limit."""
    lengths = range(SHORTEST_CUT, len(values[shortens]))
    fitting = bisect_right(lengths, limit, key=lambda length: segments(_cut(template, values, shortens, length)))
    return _cut(template, values, shortens, lengths[fitting - 1]) if fitting else None


def _cut(template: str, values: dict[str, str], shortens: str, length: int) -> str:
    shorter = values[shortens][:length].rstrip(" .,;:-") + CUT
    return template.format_map({**values, shortens: shorter}).replace(CUT + ".", CUT)


def _composed_characters(text: str) -> str:
    return unicodedata.normalize("NFC", text)
