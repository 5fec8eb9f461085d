"""What fits into an SMS: the GSM-7 alphabet, Vietnamese folded into it, and segments as carriers count them."""

import unicodedata
from bisect import bisect_right
from collections.abc import Iterable
from itertools import count

# anyascii: a readable ASCII spelling for letters of every script, so that nothing ever becomes "?"
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
LEAST = 12  # letters of a shortened word that still say something


def folded(text: str) -> str:
    """Return the text in GSM-7, letter by letter: Nguyễn → Nguyen, 안 → An; never a "?" that was not there."""
    return "".join(_folded_letter(letter) for letter in unicodedata.normalize("NFKC", text))


def _folded_letter(letter: str) -> str:
    plain = without_accents(letter)
    if all(one in GSM for one in plain):
        return plain
    spelled = anyascii(letter).replace("?", "").replace("`", "'")
    return "".join(one for one in spelled if one in GSM)


def is_gsm(text: str) -> bool:
    return all(letter in GSM for letter in text)


def segments(text: str) -> int:
    """Return how many segments a carrier bills for the text, in GSM-7 where it can be, else in UCS-2."""
    if is_gsm(text):
        return _packed([2 if letter in GSM_EXTENDED else 1 for letter in text], GSM_ALONE, GSM_JOINED)
    return _packed([len(letter.encode("utf-16-be")) // 2 for letter in text], UCS_ALONE, UCS_JOINED)


def _packed(sizes: Iterable[int], alone: int, joined: int) -> int:
    """Count segments; a letter of two units is never torn apart, it opens the next segment."""
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
    spelled = _composed_letters if accents else folded
    start, advice, end = spelled(start), spelled(advice), spelled(end)
    written = {name: tidy(spelled(value)) for name, value in values.items()}
    whole, without_advice = (template.format_map(written) for template in (start + advice + end, start + end))
    value = written[shortens]

    def cut_to(length: int) -> str:
        shorter = value[:length].rstrip(" .,;:-") + CUT
        return (start + end).format_map({**written, shortens: shorter}).replace(CUT + ".", CUT)

    for limit in count(SEGMENTS):
        for text in (whole, without_advice):
            if segments(text) <= limit:
                return text
        lengths = range(LEAST, len(value))
        fitting = bisect_right(lengths, limit, key=lambda length: segments(cut_to(length)))
        if fitting:
            return cut_to(lengths[fitting - 1])
    raise AssertionError("count() has no end")


def _composed_letters(text: str) -> str:
    return unicodedata.normalize("NFC", text)
