"""Draws what an authenticator scans."""

from typing import Any

import zxingcpp

QUIET_ZONE = 2  # modules around the code
# two modules, one above the other, as one character; light ones are drawn, because most terminals are dark
BLOCKS = {(True, True): "█", (True, False): "▀", (False, True): "▄", (False, False): " "}


def terminal_qr(text: str) -> str:
    """Return a QR code of the text, as lines of block characters."""
    code = zxingcpp.create_barcode(text, zxingcpp.BarcodeFormat.QRCode, ec_level="L")
    image: Any = zxingcpp.write_barcode_to_image(code, scale=1, add_quiet_zones=False)
    modules: Any = memoryview(image).tolist()
    light = _framed([[bool(module) for module in line] for line in modules])
    pairs = zip(light[::2], light[1::2], strict=True)
    return "\n".join("".join(BLOCKS[pair] for pair in zip(upper, lower, strict=True)) for upper, lower in pairs)


def _framed(light: list[list[bool]]) -> list[list[bool]]:
    """Put the quiet zone around the modules, one line more below where their number is odd."""
    width = len(light[0]) + 2 * QUIET_ZONE
    margin = [[True] * width] * QUIET_ZONE
    sides = [True] * QUIET_ZONE
    framed = [*margin, *([*sides, *line, *sides] for line in light), *margin]
    return framed if len(framed) % 2 == 0 else [*framed, [True] * width]
