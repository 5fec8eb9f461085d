"""Lays out Form 01, the declaration on paper that is printed, signed and brought to the agency (S51-S53).

fpdf2 writes the PDF. The order of the fields is F5 of docs/sources.md; the sentences are those of the web form
(S47, S49), with its three purposes (S30).
"""

import unicodedata
from datetime import datetime
from pathlib import Path

from fpdf import FPDF
from fpdf.enums import TableBordersLayout, XPos, YPos
from fpdf.fonts import FontFace, TTFFont

from services.registration.media.form_data import FormData
from shared.language.clock import VIETNAM
from shared.language.values import Address, DeclarationKind

FONTS = Path(__file__).parent / "fonts"
FONT = "declaration"
SIZES = (11.5, 11.0, 10.0, 9.0, 8.0, 7.0)  # in points; the first at which all fits one page is taken
UNKNOWN_LETTER = "□"
SIGNING_SPACE = 24  # mm
LABELS = 64  # mm, the width of the column of labels
ENDING = 45  # mm, what the signature and the note beside it need together
NO_BREAK = "\N{NO-BREAK SPACE}"

INK, RULE, PALE = (0, 0, 0), (150, 150, 150), (243, 243, 243)

TITLE = (
    "Đăng ký sử dụng, điều chỉnh thông tin và ngừng sử dụng",
    "phương thức giao dịch điện tử trong lĩnh vực bảo hiểm xã hội",
)
LEGAL_BASE = (
    "Theo Nghị định số 166/2016/NĐ-CP ngày 24 tháng 12 năm 2016 của Chính phủ, cá nhân tôi có đủ các "
    "điều kiện sử dụng phương thức giao dịch điện tử. Cá nhân tôi đăng ký, điều chỉnh thông tin hoặc ngừng "
    "sử dụng phương thức giao dịch điện tử trong lĩnh vực bảo hiểm xã hội với cơ quan Bảo hiểm xã hội "
    "như sau:"
)
COMMITMENT = (
    "Cá nhân tôi cam kết hoàn toàn chịu trách nhiệm trước pháp luật về tính chính xác, trung thực của "
    "nội dung nêu trên và thực hiện giao dịch điện tử trong lĩnh vực bảo hiểm xã hội theo đúng quy định "
    "của pháp luật."
)
BLANK_DATE = "ngày …… tháng …… năm ………"
ID_LABELS = {"cccd": "Số CCCD", "cmnd": "Số CMND", "passport": "Số hộ chiếu"}
ID_PAPERS = {"cccd": "thẻ căn cước công dân", "cmnd": "chứng minh nhân dân", "passport": "hộ chiếu"}

Row = tuple[str, str]


def form01(declaration: FormData) -> bytes:
    """Return the form as a PDF: A4, one page, in smaller letters where the values are long."""
    for size in SIZES:
        paper = _written(declaration, size)
        if paper.page_no() == 1:
            break
    return bytes(paper.output())


def head_rows(declaration: FormData) -> list[Row]:
    """Return what finds the declaration again, as (label, value)."""
    return [
        ("Số hồ sơ", declaration.number),
        ("Mã tra cứu", declaration.tracking_code),
        ("Thời điểm khai", _moment(declaration.submitted_at)),
        ("Nộp trước", _moment(declaration.expires_at)),
    ]


def person_rows(declaration: FormData) -> list[Row]:
    """Return what is declared about the person, as (label, value), in the order of the paper."""
    document = declaration.id_document
    return [
        ("1. Tên cá nhân", declaration.full_name),
        ("2. Mã số thuế/mã số BHXH", declaration.insurance_code),
        (f"3. {ID_LABELS.get(document.type, 'Số giấy tờ tùy thân')}", document.number),
        *_address_rows(declaration.address),
        ("5. Người liên hệ", declaration.contact_name or declaration.full_name),
        ("6. Địa chỉ thư điện tử", declaration.email or "Không có"),
        ("7. Điện thoại di động", _phone(declaration.phone)),
    ]


def purposes(declaration: FormData) -> list[tuple[str, bool]]:
    """Return the three purposes of the form, each with whether it is ticked."""
    registers = declaration.kind in (DeclarationKind.REGISTER, DeclarationKind.CHILD)
    since = _date_in_words(declaration.submitted_at) if registers else BLANK_DATE
    return [
        (
            f"Đăng ký sử dụng phương thức giao dịch điện tử trong lĩnh vực bảo hiểm xã hội từ {since}",
            registers,
        ),
        ("Điều chỉnh thông tin đã đăng ký", declaration.kind is DeclarationKind.ADJUST),
        ("Ngừng sử dụng phương thức giao dịch điện tử", declaration.kind is DeclarationKind.STOP),
    ]


def agency_rows(declaration: FormData) -> list[Row]:
    """Return where the form is to be brought, as (label, value)."""
    agency = declaration.agency
    rows = [("9. Cơ quan BHXH tiếp nhận", f"{agency.code} - {agency.name}")]
    return [*rows, ("    Địa chỉ cơ quan", agency.address)] if agency.address else rows


def next_step(declaration: FormData) -> str:
    """Return what the person is to do with the paper."""
    paper = ID_PAPERS.get(declaration.id_document.type, "giấy tờ tùy thân")
    return (
        f"Ký, ghi rõ họ tên, rồi mang tờ khai này cùng {paper} bản gốc đến {declaration.agency.name} "
        f"trước ngày {_local(declaration.expires_at):%d/%m/%Y}. "
        "Quá hạn, thông tin tờ khai điện tử sẽ tự động bị xóa."
    )


def _address_rows(address: Address) -> list[Row]:
    rows = [
        ("4. Địa chỉ liên hệ: tỉnh/thành phố", _coded(address.province_code, address.province_name)),
        ("    Quận/huyện", address.district or ""),
        ("    Phường/xã", _coded(address.ward_code, address.ward_name)),
        ("    Số nhà, đường, tổ/xóm, thôn", address.street),
    ]
    return [(label, value) for label, value in rows if value]


def _coded(code: str | None, name: str | None) -> str:
    return " - ".join(part for part in (code, name) if part)


def _phone(phone: str) -> str:
    national = f"0{phone[3:]}" if phone.startswith("+84") else phone
    return f"{national[:4]} {national[4:7]} {national[7:]}" if len(national) == 10 else national


def _local(at: datetime) -> datetime:
    return at.astimezone(VIETNAM)


def _moment(at: datetime) -> str:
    return f"{_local(at):%H:%M, %d/%m/%Y}"


def _date_in_words(at: datetime) -> str:
    """Return the date as papers write it: days under 10 and the first two months with a zero."""
    local = _local(at)
    month = f"{local.month:02}" if local.month < 3 else str(local.month)
    return NO_BREAK.join(("ngày", f"{local.day:02}", "tháng", month, "năm", str(local.year)))


def _place(address: Address) -> str:
    return address.province_name.removeprefix("Tỉnh ").removeprefix("Thành phố ")


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
            # the outlines stay as they are: measured anew, they would take a third of the printing
            font.ttfont.recalcBBoxes = False
        self.letters = font.cmap
        self.add_page()

    def legible(self, text: str) -> str:
        """Return the text in letters the font has; a letter it lacks leaves a box."""
        return "".join(self._letter(letter) for letter in unicodedata.normalize("NFC", text))

    def _letter(self, letter: str) -> str:
        if letter.isspace() and letter != NO_BREAK:
            return " "
        category = unicodedata.category(letter)
        if category.startswith("C"):
            return ""
        if ord(letter) in self.letters:
            return letter
        return "" if category.startswith("M") else UNKNOWN_LETTER

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


def _written(declaration: FormData, size: float) -> _Paper:
    paper = _Paper(size)
    paper.set_lang("vi-VN")
    paper.set_title(f"Tờ khai {declaration.number}")
    _write_heading(paper)
    _write_head_rows(paper, head_rows(declaration))
    _write_title(paper)
    _write_rows(paper, person_rows(declaration))
    _write_purposes(paper, declaration)
    _write_rows(paper, agency_rows(declaration))
    _write_ending(paper, declaration)
    return paper


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


def _write_purposes(paper: _Paper, declaration: FormData) -> None:
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


def _write_ending(paper: _Paper, declaration: FormData) -> None:
    if paper.will_page_break(ENDING):
        paper.add_page()
    paper.gap(0.9)
    top = paper.y
    _write_signature(paper, declaration)
    signed = paper.y
    paper.set_xy(paper.l_margin, top)
    _write_next_step(paper, declaration)
    paper.y = max(paper.y, signed)


def _write_signature(paper: _Paper, declaration: FormData) -> None:
    column = 72.0
    left = paper.w - paper.r_margin - column
    paper.x = left
    written = f"{_place(declaration.address)}, {_date_in_words(declaration.submitted_at)}"
    paper.say(written, style="I", align="C", width=column)
    paper.say("Người khai", style="B", align="C", width=column)
    paper.say("(Ký, ghi rõ họ tên)", style="I", align="C", width=column)
    paper.y += SIGNING_SPACE


def _write_next_step(paper: _Paper, declaration: FormData) -> None:
    left, top, column, inside = paper.x, paper.y + paper.leading * 0.3, 88.0, 3.0
    paper.set_xy(left + inside, top + inside * 0.7)
    paper.say("Việc cần làm tiếp", style="B", scale=0.9, align="L", width=column - 2 * inside)
    paper.say(next_step(declaration), scale=0.9, align="L", width=column - 2 * inside)
    paper.y += inside * 0.7
    paper.set_line_width(0.25)
    paper.set_draw_color(RULE)
    paper.rect(left, top, column, paper.y - top)
    paper.set_draw_color(INK)
