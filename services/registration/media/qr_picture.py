"""Finds the QR code in a picture; Pillow decodes the picture, zxing-cpp the code."""

import zxingcpp
from PIL import Image

from services.registration.media.picture import format_of, opened, refusing_as_unreadable
from shared.language.errors import FieldError, Invalid, Unsupported

MAX_QR_SIDE = 3000  # a QR code is a small part of a card, a card a small part of a photograph


def read_qr_picture(data: bytes) -> str:
    """Return the text of the QR code in the picture.

    Raises TooLarge over 8 MiB, and Invalid ``unreadable_qr`` where there is no picture or no code in it.
    """
    text = _qr_text(data)
    if text is None:
        raise Invalid("unreadable_qr", errors=[FieldError("image", "unreadable_qr")])
    return text


def _qr_text(data: bytes) -> str | None:
    try:
        fmt = format_of(data)
        with refusing_as_unreadable(), opened(data, fmt) as image:
            code = _qr_code(image)
    except (Invalid, Unsupported):
        return None
    return None if code is None else _decoded(code)


def _qr_code(image: Image.Image) -> zxingcpp.Barcode | None:
    image.draft("L", (MAX_QR_SIDE, MAX_QR_SIDE))
    grey = image.convert("L")
    grey.thumbnail((MAX_QR_SIDE, MAX_QR_SIDE), reducing_gap=2.0)
    formats = zxingcpp.BarcodeFormats([zxingcpp.BarcodeFormat.QRCode])
    return zxingcpp.read_barcode(grey, formats=formats, text_mode=zxingcpp.TextMode.Plain)


def _decoded(code: zxingcpp.Barcode) -> str:
    # The cards hold UTF-8 without saying so, and a guess at the encoding of a short name may go wrong.
    try:
        return code.bytes.decode()
    except UnicodeDecodeError:
        return code.text
