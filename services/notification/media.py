"""Mails laid out: plain text, and HTML that old phones show well."""

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from services.notification.domain.letter import Letter, Mail

_templates = Environment(
    loader=PackageLoader("services.notification"),
    autoescape=select_autoescape(["html"]),
    undefined=StrictUndefined,
    trim_blocks=True,
    keep_trailing_newline=True,
)
_TEXT, _HTML = _templates.get_template("mail.txt"), _templates.get_template("mail.html")


def mail_from(letter: Letter) -> Mail:
    """Return the letter laid out; in its HTML every value is escaped."""
    return Mail(subject=letter.subject, text=_TEXT.render(letter=letter), html=_HTML.render(letter=letter))
