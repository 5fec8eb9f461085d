"""Pictures that come in: decoded and encoded again by Pillow, so that what is kept is harmless.

It runs in a process of its own (`shared.framework.isolated`), and touches no state but its arguments.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO

# The plug-ins are imported here so that Pillow does not look for them later, inside a worker thread.
from PIL import Image, JpegImagePlugin, PngImagePlugin, WebPImagePlugin
from PIL.Image import Resampling, Transpose
from pillow_heif import register_heif_opener

from shared.language.errors import FieldError, Invalid, TooLarge, Unsupported
from shared.language.values import LARGEST_PICTURE

MAX_PIXELS = 20_000_000  # decoded whole, that is 80 MB
MAX_PIXELS_SCALED = 64_000_000  # a JPEG is made smaller while it is decoded, and phones take up to 64 megapixels
MAX_PIXELS_HEIC = 26_000_000  # it cannot be scaled while it is decoded either, and iPhones take 24 megapixels
MAX_SCANS = 50  # a progressive JPEG has about ten; each further one costs a pass over all pixels for 75 bytes
MIN_SIDE = 200  # pixels; nobody reads a card or knows a face on fewer
MAX_SIDE = 2000  # enough to read an identity card by eye
ORIENTATION = 0x0112  # EXIF tag
# A JPEG's marker, and which it is; 0xff 0 is a byte of pixels, and 0xff 0xd0 to 0xd7 stand among them
MARKER = re.compile(rb"\xff+([^\x00\xff\xd0-\xd7])", re.DOTALL)
FIRST_SEGMENT, START, END, SCAN = b"\xc0", b"\xd8", b"\xd9", b"\xda"
HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"mif1"}

register_heif_opener(thumbnails=False)


@dataclass(frozen=True)
class PictureFormat:
    """A picture format we read; ``options`` are Pillow's for saving in it, ``kept_as`` is another to save in."""

    name: str
    max_pixels: int
    content_type: str
    suffix: str
    options: dict[str, int | bool]
    may_have_frames: bool = False
    kept_as: "PictureFormat | None" = None


# A JPEG or HEIC of several frames is a photograph with a preview, a depth map or its burst, as phones make them.
JPEG = PictureFormat(
    JpegImagePlugin.JpegImageFile.format,
    MAX_PIXELS_SCALED,
    "image/jpeg",
    ".jpg",
    {"quality": 85, "optimize": True},
    may_have_frames=True,
)
PNG = PictureFormat(PngImagePlugin.PngImageFile.format, MAX_PIXELS, "image/png", ".png", {"compress_level": 6})
WEBP = PictureFormat(
    WebPImagePlugin.WebPImageFile.format, MAX_PIXELS, "image/webp", ".webp", {"quality": 85, "method": 4}
)
HEIC = PictureFormat("HEIF", MAX_PIXELS_HEIC, "image/heic", ".heic", {}, may_have_frames=True, kept_as=JPEG)

# How to turn the pixels for each value of the EXIF orientation tag; 1 is upright.
TURNS = {
    2: Transpose.FLIP_LEFT_RIGHT,
    3: Transpose.ROTATE_180,
    4: Transpose.FLIP_TOP_BOTTOM,
    5: Transpose.TRANSPOSE,
    6: Transpose.ROTATE_270,
    7: Transpose.TRANSVERSE,
    8: Transpose.ROTATE_90,
}


@dataclass(frozen=True)
class Picture:
    """A picture that holds nothing but its pixels, upright, at most 2000 pixels long.

    ``suffix`` is the ending of a file name for it, with the dot.
    """

    content_type: str
    data: bytes
    suffix: str


def read_picture(data: bytes) -> Picture:
    """Return the picture re-encoded in its own format; a HEIC, which few programs show, as JPEG.

    Raises TooLarge over 8 MiB; Unsupported when the content is no JPEG, PNG, WebP or HEIC, whatever its name
    says; Invalid ``unreadable_image`` when it is broken, moving, of too many pixels, or under 200 on a side.
    """
    fmt = format_of(data)
    with refusing_as_unreadable(), opened(data, fmt) as image:
        if min(image.size) < MIN_SIDE:
            raise Invalid("unreadable_image", errors=[FieldError("file", "picture_too_small", {"limit": MIN_SIDE})])
        kept = fmt.kept_as or fmt
        return Picture(kept.content_type, _encoded(_upright(image), kept), kept.suffix)


def format_of(data: bytes) -> PictureFormat:
    """Return the format of the content, whatever its file name says.

    Raises TooLarge over 8 MiB; Unsupported for what is no JPEG, PNG, WebP or HEIC.
    """
    if len(data) > LARGEST_PICTURE:
        raise TooLarge("too_large", limit=LARGEST_PICTURE)
    if data.startswith(b"\xff\xd8\xff"):
        return JPEG
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return PNG
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return WEBP
    if data[4:8] == b"ftyp" and data[8:12] in HEIC_BRANDS:
        return HEIC
    raise Unsupported("unsupported_media_type", errors=[FieldError("file", "unsupported_media_type")])


@contextmanager
def refusing_as_unreadable() -> Iterator[None]:
    """Refuse as ``unreadable_image`` what cannot be decoded."""
    # Pillow's parsers let errors of a dozen unrelated kinds out when a file lies about itself.
    try:
        yield
    except Invalid:
        raise
    except Exception as error:
        raise Invalid("unreadable_image", errors=[FieldError("file", "unreadable_image")]) from error


@contextmanager
def opened(data: bytes, fmt: PictureFormat) -> Iterator[Image.Image]:
    """Open without decoding, and refuse what must not be decoded."""
    if fmt is JPEG and _scans(data) > MAX_SCANS:
        raise ValueError("too many scans")
    with Image.open(BytesIO(data), formats=[fmt.name]) as image:
        if image.width * image.height > fmt.max_pixels:
            raise ValueError("too many pixels")
        if not fmt.may_have_frames and getattr(image, "is_animated", False):
            raise ValueError("moving")
        yield image


def _scans(data: bytes) -> int:
    """Count the scans of a JPEG up to its end: phones hang a film of the moment on behind it."""
    scans, at = 0, 2
    while (found := MARKER.search(data, at)) and found[1] != END:
        scans += found[1] == SCAN
        has_length = found[1] >= FIRST_SEGMENT and found[1] != START
        at = found.end() + (int.from_bytes(data[found.end() : found.end() + 2]) if has_length else 0)
    return scans


def _upright(image: Image.Image) -> Image.Image:
    """Return the pixels decoded, no longer than MAX_SIDE, turned as the camera was held."""
    image.draft("RGB", (MAX_SIDE, MAX_SIDE))
    image.load()
    turn = TURNS.get(_orientation(image))
    pixels = _plain_colours(image)
    pixels.thumbnail((MAX_SIDE, MAX_SIDE), Resampling.LANCZOS, reducing_gap=3.0)
    return pixels if turn is None else pixels.transpose(turn)


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(ORIENTATION, 1))
    except Exception:  # an unreadable note about the picture is no reason to refuse the picture
        return 1


def _plain_colours(image: Image.Image) -> Image.Image:
    """Return the image in one of the colour models that all three formats can be resized and saved in."""
    if image.mode in ("L", "RGB", "RGBA"):
        return image
    if image.mode.startswith("I"):  # 16 bits of grey, which Pillow would cut off at 255
        return image.point(lambda grey: grey / 256).convert("L")
    return image.convert("RGBA" if image.has_transparency_data else "RGB")


def _encoded(image: Image.Image, fmt: PictureFormat) -> bytes:
    if fmt is JPEG and image.mode == "RGBA":
        image = image.convert("RGB")
    # Pillow's writers copy profiles and comments from here.
    image.info.clear()
    file = BytesIO()
    image.save(file, fmt.name, **fmt.options)
    return file.getvalue()
