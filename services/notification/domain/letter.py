"""A mail as people read it: plain text, and HTML that old phones show well."""

from dataclasses import dataclass
from html import escape


@dataclass(frozen=True)
class Letter:
    """A mail before it is laid out. ``link`` is a label and an address, or None."""

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


def plain(letter: Letter) -> str:
    """Return the letter as plain text."""
    facts = "\n".join(f"{label}: {value}" for label, value in letter.facts)
    link = [f"{letter.link[0]}:\n{letter.link[1]}"] if letter.link else []
    parts = [letter.greeting, letter.lead, facts, *letter.steps, *link, letter.warning, letter.sender, letter.footer]
    return "\n\n".join(parts) + "\n"


def html(letter: Letter) -> str:
    """Return the letter as HTML: tables and inline styles, large type, dark on white; every value escaped."""
    facts = "".join(_fact(label, value) for label, value in letter.facts)
    steps = "".join(_paragraph(step) for step in letter.steps)
    button = _button(*letter.link) if letter.link else ""
    return f"""<!DOCTYPE html>
<html lang="{escape(letter.language)}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(letter.subject)}</title>
</head>
<body style="margin:0;padding:0;background:#eef2f6;">
<table role="presentation" width="100%" cellpadding="0" cellspacing="0" border="0" style="background:#eef2f6;">
<tr><td align="center" style="padding:16px 8px;">
<table role="presentation" width="100%" cellpadding="0" cellspacing="0" border="0"
 style="max-width:600px;background:#ffffff;border:1px solid #c5d0dc;\
font-family:Arial,Helvetica,sans-serif;color:#16202b;">
<tr><td style="background:#0b3d78;padding:16px 24px;color:#ffffff;font-size:16px;line-height:24px;font-weight:bold;">
{escape(letter.sender)}</td></tr>
<tr><td style="padding:24px 24px 8px 24px;">
<h1 style="margin:0 0 16px 0;font-size:24px;line-height:32px;color:#0b3d78;">{escape(letter.title)}</h1>
{_paragraph(letter.greeting)}
{_paragraph(letter.lead)}
<table role="presentation" width="100%" cellpadding="0" cellspacing="0" border="0" style="margin:0 0 16px 0;">
{facts}
</table>
{steps}
{button}
<p style="margin:0 0 16px 0;padding:12px 16px;background:#fff6df;border-left:4px solid #a86400;font-size:16px;\
line-height:24px;">{escape(letter.warning)}</p>
</td></tr>
<tr><td style="padding:12px 24px 20px 24px;border-top:1px solid #c5d0dc;font-size:14px;line-height:20px;color:#44505c;">
{escape(letter.footer)}</td></tr>
</table>
</td></tr>
</table>
</body>
</html>
"""


def _paragraph(text: str) -> str:
    return f'<p style="margin:0 0 16px 0;font-size:18px;line-height:28px;">{escape(text)}</p>\n'


def _fact(label: str, value: str) -> str:
    return (
        '<tr><td style="padding:8px 0;border-bottom:1px solid #dde4eb;">'
        f'<span style="font-size:15px;line-height:22px;color:#44505c;">{escape(label)}</span><br>'
        f'<strong style="font-size:18px;line-height:26px;">{escape(value)}</strong></td></tr>\n'
    )


def _button(label: str, address: str) -> str:
    return (
        '<table role="presentation" cellpadding="0" cellspacing="0" border="0" style="margin:0 0 24px 0;"><tr>'
        f'<td style="background:#0b3d78;padding:14px 24px;"><a href="{escape(address)}"'
        ' style="color:#ffffff;font-size:18px;line-height:24px;font-weight:bold;text-decoration:none;">'
        f"{escape(label)}</a></td></tr></table>\n"
    )
