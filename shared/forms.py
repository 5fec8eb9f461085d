"""What comes in, checked field by field: strict marshmallow fields and the codes they refuse with.

Strict means: text is text, `true` is true, a code is a string of ASCII digits, and an unknown field is
refused. Every refusal names its field and a stable code; the gateway has the sentence for each code.
"""

import re
import unicodedata
from collections.abc import Mapping
from datetime import date
from functools import cache
from itertools import islice
from typing import Any

from marshmallow import RAISE, Schema, ValidationError, fields, validate

from shared.language.errors import FieldError, Invalid
from shared.language.text import tidy
from shared.language.values import mobile_number

REQUIRED, NULL, WRONG_TYPE, UNKNOWN = "required", "null", "wrong_type", "unknown_field"
MOST_ERRORS = 100  # named at once; a body of nothing but faults shall not make an answer of megabytes
CODES = {"required": REQUIRED, "null": NULL, "invalid": WRONG_TYPE, "type": WRONG_TYPE}
# Kinds of characters that never belong in a line of text: control, format (direction marks), surrogate,
# private, unassigned, line and paragraph separators
UNPRINTABLE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
# A letter with its marks: a few letters of Vietnam's languages (ơ̆, ư̆) have no composed form
LETTER = r"[^\W\d_][\u0300-\u036f]*"
NAME = re.compile(rf"(?:{LETTER})+(?:[ .'’-]+(?:{LETTER})+)*\.?")
LINE = re.compile(rf"(?:{LETTER}|\d|[ ,./()&#:+-]|(?<=\w)['’](?=[^\W\d_]))+")
# \w takes circled and Roman numerals for letters
NUMERALS = {"No", "Nl"}


class Form(Schema):
    """What a caller may send. Unknown fields are refused."""

    class Meta:
        unknown = RAISE

    error_messages = {"unknown": UNKNOWN, "type": WRONG_TYPE, "invalid": WRONG_TYPE}


@cache
def _made(form: type[Schema]) -> Schema:
    return form()


def read(form: type[Schema], data: Any) -> dict[str, Any]:
    """Return the checked values of a form; each form is made once, for making one costs more than a reading.

    Raises:
        Invalid: with one FieldError for each field that is not in order.
    """
    try:
        return dict(_made(form).load(data))
    except ValidationError as refusal:
        faults = refusal.normalized_messages()  # type: ignore[no-untyped-call]
        raise Invalid(errors=list(islice(_flat("", faults), MOST_ERRORS))) from None


def _flat(path: str, messages: Any) -> Any:
    if isinstance(messages, Mapping):
        for key, inner in messages.items():
            name = "" if key == "_schema" else str(key)[:100]
            yield from _flat(f"{path}.{name}".strip("."), inner)
    else:
        for message in messages:
            if isinstance(message, FieldError):
                yield FieldError(path, message.code, message.details)
            elif isinstance(message, Mapping):
                yield from _flat(path, message)
            else:
                yield FieldError(path, str(message))


def refuse(code: str, **details: Any) -> ValidationError:
    """Return the refusal of the field at hand."""
    return ValidationError([FieldError("", code, details)])


class Text(fields.Field[str]):
    """One line of text: NFC, single spaces, no control or direction characters, at most ``longest`` long."""

    default_error_messages = {"required": REQUIRED, "null": NULL}

    def __init__(self, longest: int, *, pattern: re.Pattern[str] | None = None, code: str = "", **options: Any):
        self.longest, self.pattern, self.code = longest, pattern, code
        super().__init__(**options)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> str:
        if not isinstance(value, str):
            raise refuse(WRONG_TYPE)
        if len(value) > self.longest * 4:  # NFC and tidying may shorten, but not so much
            raise refuse("too_long", limit=self.longest)
        if any(unicodedata.category(letter) in UNPRINTABLE for letter in value):
            raise refuse("unprintable_characters")
        text = tidy(value)
        if not text:
            raise refuse("empty")
        if len(text) > self.longest:
            raise refuse("too_long", limit=self.longest)
        if self.pattern is not None and not (self.pattern.fullmatch(text) and not _has_numerals(text)):
            raise refuse(self.code)
        return text


def _has_numerals(text: str) -> bool:
    return not text.isascii() and any(unicodedata.category(letter) in NUMERALS for letter in text)


class Name(Text):
    """A person's name: letters of any script, spaces, and the few signs that names have."""

    def __init__(self, **options: Any) -> None:
        super().__init__(100, pattern=NAME, code="not_a_name", **options)


class Line(Text):
    """A line of an address: letters, digits, spaces and the signs that addresses have."""

    def __init__(self, longest: int = 200, **options: Any) -> None:
        super().__init__(longest, pattern=LINE, code="unusual_characters", **options)


class Paragraph(fields.Field[str]):
    """Free text of several lines: line breaks are kept, other control characters are refused."""

    default_error_messages = {"required": REQUIRED, "null": NULL}

    def __init__(self, longest: int, **options: Any) -> None:
        self.longest = longest
        super().__init__(**options)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> str:
        if not isinstance(value, str):
            raise refuse(WRONG_TYPE)
        if len(value) > self.longest:
            raise refuse("too_long", limit=self.longest)
        kept = value.replace("\r\n", "\n").replace("\n", " ").replace("\t", " ")
        if any(unicodedata.category(letter) in UNPRINTABLE for letter in kept):
            raise refuse("unprintable_characters")
        return unicodedata.normalize("NFC", value.replace("\r\n", "\n").strip())


class Code(fields.Field[str]):
    """A string of ASCII digits or the like, matched whole."""

    default_error_messages = {"required": REQUIRED, "null": NULL}

    def __init__(self, pattern: str, code: str, **options: Any) -> None:
        self.pattern, self.code = re.compile(pattern, re.ASCII), code
        super().__init__(**options)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> str:
        if not isinstance(value, str):
            raise refuse(WRONG_TYPE)
        if not self.pattern.fullmatch(value):
            raise refuse(self.code)
        return value


class Mobile(fields.Field[str]):
    """A Vietnamese mobile number; returned in E.164 (I23)."""

    default_error_messages = {"required": REQUIRED, "null": NULL}

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> str:
        if not isinstance(value, str):
            raise refuse(WRONG_TYPE)
        number = mobile_number(value) if len(value) <= 20 else None
        if number is None:
            raise refuse("not_a_mobile")
        return number


class Mail(fields.Field[str]):
    """An e-mail address, as marshmallow's own validator knows it."""

    default_error_messages = {"required": REQUIRED, "null": NULL}

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> str:
        if not isinstance(value, str):
            raise refuse(WRONG_TYPE)
        try:
            if len(value) > 254 or not value.isascii() or not value.isprintable():
                raise ValidationError("")
            validate.Email()(value)
        except ValidationError:
            raise refuse("not_an_email") from None
        return value


class Flag(fields.Field[bool]):
    """`true` or `false`, nothing like it."""

    default_error_messages = {"required": REQUIRED, "null": NULL}

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> bool:
        if not isinstance(value, bool):
            raise refuse(WRONG_TYPE)
        return value


class Accepted(Flag):
    """`true`: a box that must be ticked."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **options: Any) -> bool:
        if not super()._deserialize(value, attr, data, **options):
            raise refuse("must_be_accepted")
        return True


class Choice(fields.Field[str]):
    """One of a few words."""

    default_error_messages = {"required": REQUIRED, "null": NULL}

    def __init__(self, choices: Any, **options: Any) -> None:
        self.choices = tuple(str(choice) for choice in choices)
        super().__init__(**options)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> str:
        if not isinstance(value, str):
            raise refuse(WRONG_TYPE)
        if value not in self.choices:
            raise refuse("not_a_choice", choices=", ".join(self.choices))
        return value


class Nested(fields.Nested):
    """An object inside the object."""

    default_error_messages = {"required": REQUIRED, "null": NULL, "type": WRONG_TYPE, "invalid": WRONG_TYPE}


class Count(fields.Field[int]):
    """A whole number in a query string, within bounds."""

    default_error_messages = {"required": REQUIRED, "null": NULL}

    def __init__(self, lowest: int, highest: int, **options: Any) -> None:
        self.lowest, self.highest = lowest, highest
        super().__init__(**options)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> int:
        if not isinstance(value, str) or not re.fullmatch(r"[0-9]{1,9}", value, re.ASCII):
            raise refuse("not_a_number")
        if not self.lowest <= int(value) <= self.highest:
            raise refuse("out_of_range", lowest=self.lowest, highest=self.highest)
        return int(value)


class Day(fields.Date):
    """A date, YYYY-MM-DD."""

    default_error_messages = {"required": REQUIRED, "null": NULL, "invalid": "not_a_date"}

    def _deserialize(self, value: Any, attr: str | None, data: Any, **options: Any) -> date:
        if not isinstance(value, str) or not re.fullmatch(r"\d{4}-\d\d-\d\d", value, re.ASCII):
            raise refuse("not_a_date")
        return super()._deserialize(value, attr, data, **options)
