"""Lays Form 01 out as a PDF; fpdf2 writes it."""

import unicodedata
from pathlib import Path
from typing import Any

import zxingcpp
from fpdf import FPDF
from fpdf.enums import TableBordersLayout, XPos, YPos
from fpdf.fonts import FontFace, TTFFont

from services.registration.media.form01 import (
    COMMITMENT,
    LEGAL_BASE,
    NO_BREAK,
    TITLE,
    Form01Data,
    Row,
    agency_rows,
    date_in_words,
    head_rows,
    next_step,
    person_rows,
    place_of_signing,
    purposes,
)

FONTS = Path(__file__).parent / "fonts"
FONT = "declaration"
SIZES = (11.5, 11.0, 10.0, 9.0, 8.0, 7.0)  # in points; the first at which all fits one page is used
UNKNOWN_CHARACTER = "□"
SIGNING_SPACE = 24  # mm
LABELS = 64  # mm, the width of the column of labels
ENDING = 45  # mm, what the signature and the note beside it need together

CODE_SIDE = 22  # mm, of the QR code in the corner

INK, RULE, PALE = (0, 0, 0), (150, 150, 150), (243, 243, 243)


def print_form01(declaration: Form01Data) -> bytes:
    """Return the form as a PDF: A4, one page, in smaller type where the values are long."""
    for size in SIZES:
        paper = _written(declaration, size)
        if paper.page_no() == 1:
            break
    return bytes(paper.output())


class _Paper(FPDF):
    """A sheet of A4 in our font; running text is of ``points``, its lines ``leading`` mm apart."""

    def __init__(self, points: float) -> None:
        super().__init__(format="A4")
        self.points = points
        self.leading = points * 0.47  # mm
        self.set_margins(22, 12, 18)
        self.set_auto_page_break(True, 12)
        for style, name in (("", "Regular"), ("B", "Bold"), ("I", "Italic")):
            self.add_font(FONT, style, FONTS / f"DeclarationSerif-{name}.ttf")
            font = self.fonts[FONT + style]
            assert isinstance(font, TTFFont)
            # the outlines stay as they are: measuring them again would take a third of the printing
            font.ttfont.recalcBBoxes = False
            self.characters = font.cmap  # the same in all three
        self.add_page()

    def legible(self, text: str) -> str:
        """Return the text in characters the font has; one that it lacks becomes a box."""
        return "".join(self._character(one) for one in unicodedata.normalize("NFC", text))

    def _character(self, character: str) -> str:
        if character.isspace() and character != NO_BREAK:
            return " "
        category = unicodedata.category(character)
        if category.startswith("C"):
            return ""
        if ord(character) in self.characters:
            return character
        return "" if category.startswith("M") else UNKNOWN_CHARACTER

    def ink(self, style: str = "", scale: float = 1.0) -> None:
        self.set_font(FONT, style, self.points * scale)

    def say(self, text: str, *, style: str = "", scale: float = 1.0, align: str = "J", width: float = 0) -> None:
        """Write a paragraph, from the present place to the right margin or over ``width`` mm."""
        self.ink(style, scale)
        left = self.x
        self.multi_cell(width, self.leading * scale, self.legible(text), align=align, new_x=XPos.LEFT, new_y=YPos.NEXT)
        self.x = left

    def gap(self, lines: float) -> None:
        self.y += self.leading * lines


def _written(declaration: Form01Data, size: float) -> _Paper:
    paper = _Paper(size)
    paper.set_lang("vi-VN")
    paper.set_title(f"Tờ khai {declaration.number}")
    _write_code(paper, f"{declaration.number} {declaration.tracking_code}")
    _write_heading(paper)
    _write_head_rows(paper, head_rows(declaration))
    _write_title(paper)
    _write_rows(paper, person_rows(declaration))
    _write_purposes(paper, declaration)
    _write_rows(paper, agency_rows(declaration))
    _write_ending(paper, declaration)
    return paper


def _write_code(paper: _Paper, text: str) -> None:
    """Draw number and tracking code as a QR code: officers scan it where the applicant stands before them."""
    code = zxingcpp.create_barcode(text, zxingcpp.BarcodeFormat.QRCode, ec_level="M")
    image: Any = zxingcpp.write_barcode_to_image(code, scale=1, add_quiet_zones=False)
    modules: Any = memoryview(image).tolist()
    side = CODE_SIDE / len(modules)
    paper.set_fill_color(INK)
    dark = ((row, column) for row, line in enumerate(modules) for column, light in enumerate(line) if not light)
    for row, column in dark:
        paper.rect(paper.l_margin + column * side, paper.t_margin + row * side, side, side, style="F")


def _write_heading(paper: _Paper) -> None:
    paper.say("Mẫu số 01 (ban hành kèm theo văn bản số 5236/VBHN-BLĐTBXH)", style="I", scale=0.75, align="R")
    paper.gap(0.5)
    paper.say("CỘNG HÒA XÃ HỘI CHỦ NGHĨA VIỆT NAM", style="B", scale=1.05, align="C")
    motto = "Độc lập - Tự do - Hạnh phúc"
    paper.say(motto, style="B", scale=1.05, align="C")
    width = paper.get_string_width(motto)
    left = paper.l_margin + (paper.epw - width) / 2
    paper.set_line_width(0.25)
    paper.line(left, paper.y + 0.4, left + width, paper.y + 0.4)
    paper.gap(0.8)


def _rule(paper: _Paper) -> None:
    paper.set_line_width(0.15)
    paper.set_draw_color(RULE)
    paper.line(paper.l_margin, paper.y, paper.l_margin + paper.epw, paper.y)
    paper.set_draw_color(INK)


def _write_head_rows(paper: _Paper, rows: list[Row]) -> None:
    paper.ink(scale=0.85)
    paper.set_draw_color(RULE)
    with paper.table(
        align="L",
        col_widths=(1, 1, 1, 1),
        first_row_as_headings=False,
        line_height=paper.leading * 0.9,
        padding=(0.6, 1.5),
        text_align="C",
        borders_layout=TableBordersLayout.ALL,
    ) as table:
        labels, values = table.row(), table.row()
        for label, value in rows:
            labels.cell(label, style=FontFace(fill_color=PALE))
            values.cell(paper.legible(value), style=FontFace(emphasis="BOLD"))
    paper.set_draw_color(INK)


def _write_title(paper: _Paper) -> None:
    paper.gap(0.9)
    paper.say("TỜ KHAI", style="B", scale=1.3, align="C")
    for line in TITLE:
        paper.say(line, style="B", align="C")
    paper.gap(0.6)


def _write_rows(paper: _Paper, rows: list[Row]) -> None:
    for label, value in rows:
        paper.gap(0.1)
        paper.ink()
        paper.cell(LABELS, paper.leading, label)
        paper.say(value, style="B", align="L")
        paper.x = paper.l_margin
        paper.gap(0.1)
        _rule(paper)


def _write_purposes(paper: _Paper, declaration: Form01Data) -> None:
    paper.gap(0.5)
    paper.say(LEGAL_BASE)
    paper.gap(0.3)
    for text, ticked in purposes(declaration):
        _write_choice(paper, text, ticked)
    paper.gap(0.2)
    paper.say("8. Đăng ký giao dịch tại:")
    _write_choice(paper, "Cổng thông tin điện tử của Bảo hiểm xã hội Việt Nam", True)
    _write_choice(paper, "Tổ chức I-VAN", False)
    paper.gap(0.4)
    paper.say(COMMITMENT)
    paper.gap(0.5)


def _write_choice(paper: _Paper, text: str, ticked: bool) -> None:
    side = paper.points * 0.27
    left, top = paper.l_margin + 4, paper.y + (paper.leading - side) / 2
    paper.set_line_width(0.25)
    paper.rect(left, top, side, side)
    if ticked:
        paper.set_line_width(0.5)
        strokes = ((0.2, 0.5), (0.42, 0.78), (0.85, 0.2))
        paper.polyline([(left + side * across, top + side * down) for across, down in strokes])
    paper.x = left + side + 2.5
    paper.say(text, align="L")
    paper.x = paper.l_margin


def _write_ending(paper: _Paper, declaration: Form01Data) -> None:
    if paper.will_page_break(ENDING):
        paper.add_page()
    paper.gap(0.9)
    top = paper.y
    _write_signature(paper, declaration)
    signed = paper.y
    paper.set_xy(paper.l_margin, top)
    _write_next_step(paper, declaration)
    paper.y = max(paper.y, signed)


def _write_signature(paper: _Paper, declaration: Form01Data) -> None:
    column = 72.0
    left = paper.w - paper.r_margin - column
    paper.x = left
    written = f"{place_of_signing(declaration.address)}, {date_in_words(declaration.submitted_at)}"
    paper.say(written, style="I", align="C", width=column)
    paper.say("Người khai", style="B", align="C", width=column)
    paper.say("(Ký, ghi rõ họ tên)", style="I", align="C", width=column)
    paper.y += SIGNING_SPACE


def _write_next_step(paper: _Paper, declaration: Form01Data) -> None:
    left, top, column, inside = paper.x, paper.y + paper.leading * 0.3, 88.0, 3.0
    paper.set_xy(left + inside, top + inside * 0.7)
    paper.say("Việc cần làm tiếp", style="B", scale=0.9, align="L", width=column - 2 * inside)
    paper.say(next_step(declaration), scale=0.9, align="L", width=column - 2 * inside)
    paper.y += inside * 0.7
    paper.set_line_width(0.25)
    paper.set_draw_color(RULE)
    paper.rect(left, top, column, paper.y - top)
    paper.set_draw_color(INK)
