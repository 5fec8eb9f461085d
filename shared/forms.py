"""Forms and views: what callers send, checked field by field, and what they are answered.

A form is strict: text is text, `true` is true, a code is a string of ASCII digits, and an unknown field is
refused. Every refusal names its field and a stable code; the gateway has the sentence for each code. Checks are
marshmallow's validators where it has one, so that apispec describes the field by itself.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cache, cached_property
from itertools import islice
from typing import Any, TypeVar

from marshmallow import RAISE, Schema, ValidationError, fields, post_dump, validate

from shared.language.clock import rfc3339
from shared.language.errors import FieldError, Invalid
from shared.language.text import UNPRINTABLE, as_written, has_category, without_surroundings
from shared.language.values import mobile_number

REQUIRED, NULL, WRONG_TYPE, UNKNOWN = "required", "null", "wrong_type", "unknown_field"
MAX_ERRORS = 100  # named in one answer; a body of nothing but errors must not cause an answer of megabytes
CODES: dict[str, Any] = {"required": REQUIRED, "null": NULL, "invalid": WRONG_TYPE, "type": WRONG_TYPE}
LONGEST_MOBILE, LONGEST_EMAIL = 20, 254
# Letters of the languages that are written in Latin ones: the font of Form 01 has each of them, and no others
LATIN = "[A-Za-z\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u024f\u1e00-\u1e9b\u1e9e\u1ea0-\u1ef9]"
# A character with its marks: a few letters of Vietnam's languages (ơ̆, ư̆) have no composed form
CHARACTER = rf"{LATIN}[\u0300-\u036f]*"
# Characters one after another; a usual word is matched in one step, and usual names have a pattern of their own that is
# matched in a third of the time: imports check millions
WORD = rf"{LATIN}+(?:[\u0300-\u036f]{LATIN}*)*"
USUAL_NAME = re.compile(rf"{LATIN}+(?: {LATIN}+)*")
NAME = re.compile(rf"{WORD}(?:[ .'-]+{WORD})*\.?")
ADDRESS_LINE = re.compile(rf"(?:{CHARACTER}|\d|[ ,./()&#:+-]|(?<=[^\W\d_])')+")
# What people paste into addresses, and what stands there afterwards
PASTED = str.maketrans({";": ",", **dict.fromkeys("*•·", " "), **dict.fromkeys('"“”„«»', None)})
# What JSON Schema can say of the two: its \W is ASCII only, so it names the ASCII characters they never have
NAME_CHARACTERS = r"[^\x00-\x1f!-&(-,/-@\[-_{-\x7f]+"
ADDRESS_CHARACTERS = r"[^\x00-\x1f!$%<-@\[-_{-\x7f]+"
# Nothing a stranger writes may lead elsewhere once it stands on the agency's paper: hosts under the endings that such
# texts use (TP.HCM is no host), addresses of the web, and telephone numbers
HOST = re.compile(
    r"\b(?:t\.me|[^\W_](?:[\w-]*[^\W_])\.(?:com|net|org|info|biz|vn|asia|xyz|top|club|online|site|shop|store|app|link"
    r"|live|pro|vip|click|icu|win|bet|fun|me|cc|io|co|ly|gl|tk|ml|ga|cf|gq|ws|to|us))\b",
    re.IGNORECASE,
)
WEB = re.compile(r"\bhttps?\b|\bwww\b|:/|//", re.IGNORECASE)
PHONE = re.compile(r"(?<!\d)(?:\+?84|0)(?:[ .()/-]*\d){8,10}(?!\d)|(?<!\d)1[89]00(?:[ .-]*\d){4,6}(?!\d)")
DOTTED = re.compile(r"\w{2,}\.\w")
INTERNAL_DOMAINS = {"localhost", "local", "localdomain", "internal", "invalid", "lan", "home", "corp", "arpa", "onion"}
DOMAIN = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+(?:[a-z]{2,63}|xn--[a-z0-9-]+)", re.IGNORECASE | re.ASCII)
NUMERALS = {"No", "Nl"}  # circled and Roman numerals, which \w takes for letters
Value = TypeVar("Value")
Check = Callable[[str], Any]


class Form(Schema):
    """What a caller may send. Unknown fields are refused."""

    class Meta:
        unknown = RAISE

    error_messages = {"unknown": UNKNOWN, "type": WRONG_TYPE, "invalid": WRONG_TYPE}


@dataclass(frozen=True)
class Shown:
    """A thing as a view sees it: its methods are asked for their values at ``now``, ``also`` holds what it lacks."""

    thing: Any
    now: datetime | None = None
    also: Mapping[str, Any] = field(default_factory=dict)


class View(Schema):
    """What a caller is answered. A field that is neither required nor nullable is left out where it is None."""

    @classmethod
    def of(cls, thing: Any, now: datetime | None = None, **also: Any) -> dict[str, Any]:
        """Return the answer about ``thing``, an object or a dict."""
        return dict(made(cls).dump(Shown(thing, now, also)))

    def get_attribute(self, obj: Any, attr: str, default: Any) -> Any:
        shown = obj if isinstance(obj, Shown) else Shown(obj)
        value = shown.also[attr] if attr in shown.also else super().get_attribute(shown.thing, attr, None)
        return value(shown.now) if callable(value) else value

    @post_dump
    def leave_out(self, answer: dict[str, Any], **_: Any) -> dict[str, Any]:
        return {name: value for name, value in answer.items() if value is not None or name not in self._optional}

    @cached_property
    def _optional(self) -> set[str]:
        named = {one.data_key or name: one for name, one in self.dump_fields.items()}
        return {name for name, one in named.items() if not (one.required or one.allow_none)}


@cache
def made(schema: type[Schema]) -> Schema:
    """Return the instance of a schema; making one costs more than using it."""
    return schema()


def read(form: type[Schema], data: Any) -> dict[str, Any]:
    """Return the checked values of a form.

    Raises:
        Invalid: with one FieldError for each field that is not valid.
    """
    try:
        return dict(made(form).load(data))
    except ValidationError as refusal:
        faults = refusal.normalized_messages()  # type: ignore[no-untyped-call]
        raise Invalid(errors=list(islice(_flat("", faults), MAX_ERRORS))) from None


def _flat(path: str, messages: Any) -> Iterable[FieldError]:
    """Yield the first error of every field: a value that is too long need not be told that it has odd characters."""
    if isinstance(messages, Mapping):
        for key, inner in messages.items():
            name = "" if key == "_schema" else str(key)[:100]
            yield from _flat(f"{path}.{name}".strip("."), inner)
    elif isinstance(messages[0], FieldError):
        yield FieldError(path, messages[0].code, messages[0].details)
    elif isinstance(messages[0], Mapping):
        yield from _flat(path, messages[0])
    else:
        yield FieldError(path, str(messages[0]))


def refuse(code: str, **details: Any) -> ValidationError:
    """Return the refusal of the field at hand."""
    return ValidationError([FieldError("", code, details)])


def refuse_field(field: str, code: str) -> ValidationError:
    """Return the refusal of one field from a check over several."""
    return ValidationError({field: [FieldError("", code)]})


# validators: marshmallow's, refusing with our codes


class Length(validate.Length):
    def __call__(self, value: Any) -> Any:
        try:
            return super().__call__(value)
        except ValidationError:
            raise (refuse("too_long", limit=self.max) if len(value) else refuse("empty")) from None


class Matches(validate.Regexp):
    """A pattern that the whole value matches: in Python `$` stands before a line break at the end, too."""

    def __init__(self, pattern: str, code: str) -> None:
        super().__init__(f"^(?:{pattern})$" if "|" in pattern else f"^{pattern}$", re.ASCII, error=code)

    def __call__(self, value: Any) -> Any:
        if self.regex.fullmatch(value) is None:
            raise ValidationError(str(self.error))
        return value


class OneOf(validate.OneOf):
    def __call__(self, value: Any) -> Any:
        if value not in self.choices:
            raise refuse("not_a_choice", choices=", ".join(self.choices))
        return value


class Range(validate.Range):
    def __call__(self, value: Any) -> Any:
        try:
            return super().__call__(value)
        except ValidationError:
            raise refuse("out_of_range", lowest=self.min, highest=self.max) from None


# fields


class Strict(fields.Field[Value]):
    """A field that takes its own JSON type only. ``example`` and ``about`` go into the API's description."""

    default_error_messages: dict[str, Any] = CODES

    def __init__(self, *, example: Any = None, about: str = "", **options: Any) -> None:
        said = {"examples": [example]} if example is not None else {}
        metadata = {**options.pop("metadata", {}), **said, **({"description": about} if about else {})}
        options.setdefault("allow_none", False)  # marshmallow would take null where that is the default
        super().__init__(metadata=metadata, **options)


class PlainText(Strict[str], fields.String):
    """A string as it is."""


class Text(PlainText):
    """One line of text, at most ``longest`` long: NFC, single spaces, plain apostrophes and dashes, no marks."""

    def __init__(self, longest: int, *, checks: Iterable[Check] = (), **options: Any) -> None:
        self.longest = longest
        super().__init__(validate=[Length(1, longest), *checks], **options)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **options: Any) -> str:
        text = super()._deserialize(value, attr, data, **options)
        if len(text) > self.longest * 4:  # NFC and tidying may shorten, but not so much
            raise refuse("too_long", limit=self.longest)
        text = without_surroundings(text)
        if has_category(UNPRINTABLE, text):
            raise refuse("unprintable_characters")
        return self.as_written(text)

    def as_written(self, text: str) -> str:
        return as_written(text)


class Name(Text):
    """A person's name: Latin letters, spaces, and the few signs that names have."""

    def __init__(self, longest: int = 100, **options: Any) -> None:
        super().__init__(longest, checks=[Matches(NAME_CHARACTERS, "not_a_name"), _check_name], **options)


class AddressLine(Text):
    """A line of an address: letters, digits, spaces and the signs that addresses have."""

    def __init__(self, longest: int = 200, **options: Any) -> None:
        checks: list[Check] = [Matches(ADDRESS_CHARACTERS, "unusual_characters"), _is_address_line]
        super().__init__(longest, checks=checks, **options)

    def as_written(self, text: str) -> str:
        return as_written(text.translate(PASTED))


def _check_name(text: str) -> None:
    if not is_name(text) or DOTTED.search(text) or HOST.search(text):
        raise refuse("not_a_name")


def is_name(text: str) -> bool:
    """Say whether a text has only what names have."""
    if USUAL_NAME.fullmatch(text):
        return True
    return NAME.fullmatch(text) is not None and not _has_numerals(text)


def _is_address_line(text: str) -> None:
    if not ADDRESS_LINE.fullmatch(text) or _has_numerals(text):
        raise refuse("unusual_characters")
    if HOST.search(text) or WEB.search(text) or PHONE.search(text):
        raise refuse("leads_elsewhere")


def _has_numerals(text: str) -> bool:
    return not text.isascii() and has_category(NUMERALS, text)


class Paragraph(PlainText):
    """Free text of several lines: line breaks are kept, other control characters are refused."""

    def __init__(self, longest: int, **options: Any) -> None:
        self.longest = longest
        super().__init__(validate=Length(max=longest), **options)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **options: Any) -> str:
        text = super()._deserialize(value, attr, data, **options)
        if len(text) > self.longest:
            raise refuse("too_long", limit=self.longest)
        text = text.replace("\r\n", "\n")
        if has_category(UNPRINTABLE, text.replace("\n", " ").replace("\t", " ")):
            raise refuse("unprintable_characters")
        return unicodedata.normalize("NFC", text.strip())


class Password(PlainText):
    """A password as it was typed: `shared.storage.passwords` brings it into the form that is hashed."""

    def __init__(self, longest: int, **options: Any) -> None:
        super().__init__(validate=[Length(1, longest), _is_typed], **options)


def _is_typed(text: str) -> None:
    if has_category(UNPRINTABLE, text.replace("\t", " ")):
        raise refuse("unprintable_characters")


class Code(PlainText):
    """A string of ASCII digits or the like, matched whole."""

    def __init__(self, pattern: str, code: str, **options: Any) -> None:
        super().__init__(validate=Matches(pattern, code), **options)


class Mobile(PlainText):
    """A Vietnamese mobile number; returned in E.164 (I23)."""

    def __init__(self, **options: Any) -> None:
        described = {"pattern": r"^\+?[0-9 ().-]+$", "maxLength": LONGEST_MOBILE}
        about = "A Vietnamese mobile number, 0912345678 or +84912345678; kept as the latter."
        super().__init__(**{"metadata": described, "about": about, "example": "0912345678", **options})

    def _deserialize(self, value: Any, attr: str | None, data: Any, **options: Any) -> str:
        text = super()._deserialize(value, attr, data, **options)
        written = without_surroundings(text)
        number = mobile_number(as_written(written)) if len(written) <= LONGEST_MOBILE else None
        if number is None:
            raise refuse("not_a_mobile")
        return number


class Mail(Strict[str], fields.Email):
    """An e-mail address in ASCII, as marshmallow's own validator knows it."""

    default_error_messages: dict[str, Any] = {"invalid": "not_an_email"}

    def __init__(self, **options: Any) -> None:
        super().__init__(validate=Length(max=LONGEST_EMAIL), **{"example": "tran.thi.mau@vidu.example", **options})

    def _deserialize(self, value: Any, attr: str | None, data: Any, **options: Any) -> str:
        if not isinstance(value, str):
            raise refuse(WRONG_TYPE)
        written = without_surroundings(value)
        if len(written) > LONGEST_EMAIL or not written.isascii() or not written.isprintable():
            raise refuse("not_an_email")
        domain = written.rpartition("@")[2]
        if not DOMAIN.fullmatch(domain) or domain.rpartition(".")[2].lower() in INTERNAL_DOMAINS:
            raise refuse("not_an_email")
        return written


class Flag(Strict[bool], fields.Boolean):
    """`true` or `false`, nothing like it."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **options: Any) -> bool:
        if not isinstance(value, bool):
            raise refuse(WRONG_TYPE)
        return value


class Accepted(Flag):
    """`true`: a box that must be ticked."""

    def __init__(self, **options: Any) -> None:
        super().__init__(validate=validate.Equal(True, error="must_be_accepted"), **options)


class Choice(PlainText):
    """One of a few words, in forms and in views."""

    def __init__(self, choices: Iterable[str], **options: Any) -> None:
        super().__init__(validate=OneOf([str(one) for one in choices]), **options)


class Nested(fields.Nested):
    """An object inside the object."""

    default_error_messages: dict[str, Any] = CODES


class Count(Strict[int], fields.Integer):
    """A whole number in a query string, within bounds."""

    def __init__(self, lowest: int, highest: int, **options: Any) -> None:
        super().__init__(validate=Range(lowest, highest), **options)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **options: Any) -> int:
        if not isinstance(value, str) or not re.fullmatch(r"[0-9]{1,9}", value, re.ASCII):
            raise refuse("not_a_number")
        return int(value)


class Whole(Strict[int], fields.Integer):
    """A whole number in a view."""


class Day(Strict[date], fields.Date):
    """A date, YYYY-MM-DD."""

    default_error_messages: dict[str, Any] = {"invalid": "not_a_date"}

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"example": "2026-08-03", **options})

    def _deserialize(self, value: Any, attr: str | None, data: Any, **options: Any) -> date:
        if not isinstance(value, str) or not re.fullmatch(r"\d{4}-\d\d-\d\d", value, re.ASCII):
            raise refuse("not_a_date")
        return super()._deserialize(value, attr, data, **options)


class UtcTime(Strict[datetime], fields.AwareDateTime):
    """A time in a view: RFC 3339 in UTC, to the millisecond. Values are aware and in UTC, or their ISO format."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"example": "2026-08-03T02:15:00.000Z", **options})

    def _serialize(self, value: datetime | str | None, attr: str | None, obj: Any, **_: Any) -> str | None:
        return None if value is None else rfc3339(value)
