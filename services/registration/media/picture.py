"""Pictures that come in: decoded and encoded again by Pillow, so that what is kept is harmless.

It runs in a process of its own (`shared.framework.isolated`), and touches no state but its arguments.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO

# The plug-ins are imported here so that Pillow does not look for them later, inside a worker thread.
from PIL import Image, JpegImagePlugin, PngImagePlugin, WebPImagePlugin
from PIL.Image import Resampling, Transpose

from shared.language.errors import FieldError, Invalid, TooLarge, Unsupported
from shared.language.values import LARGEST_PICTURE

MAX_PIXELS = 20_000_000  # decoded whole, that is 80 MB
MAX_PIXELS_SCALED = 64_000_000  # a JPEG is made smaller while it is decoded, and phones take up to 64 megapixels
MAX_SCANS = 50  # a progressive JPEG has about ten; each further one costs a pass over all pixels for 75 bytes
MIN_SIDE = 200  # pixels; nobody reads a card or knows a face on fewer
MAX_SIDE = 2000  # enough to read an identity card by eye
ORIENTATION = 0x0112  # EXIF tag


@dataclass(frozen=True)
class PictureFormat:
    """A picture format we read and write; ``options`` are Pillow's for saving."""

    name: str
    content_type: str
    suffix: str
    options: dict[str, int | bool]


JPEG = PictureFormat(JpegImagePlugin.JpegImageFile.format, "image/jpeg", ".jpg", {"quality": 85, "optimize": True})
PNG = PictureFormat(PngImagePlugin.PngImageFile.format, "image/png", ".png", {"compress_level": 6})
WEBP = PictureFormat(WebPImagePlugin.WebPImageFile.format, "image/webp", ".webp", {"quality": 85, "method": 4})

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
    """Return the picture re-encoded in its own format.

    Raises TooLarge over 8 MiB; Unsupported when the content is no JPEG, PNG or WebP, whatever its name
    says; Invalid ``unreadable_image`` when it is broken, moving, of too many pixels, or under 200 on a side.
    """
    fmt = format_of(data)
    with refusing_as_unreadable(), opened(data, fmt) as image:
        if min(image.size) < MIN_SIDE:
            raise Invalid("unreadable_image", errors=[FieldError("file", "picture_too_small", {"limit": MIN_SIDE})])
        return Picture(fmt.content_type, _encoded(_upright(image), fmt), fmt.suffix)


def format_of(data: bytes) -> PictureFormat:
    """Return the format of the content, whatever its file name says.

    Raises TooLarge over 8 MiB; Unsupported for what is no JPEG, PNG or WebP.
    """
    if len(data) > LARGEST_PICTURE:
        raise TooLarge("too_large", limit=LARGEST_PICTURE)
    if data.startswith(b"\xff\xd8\xff"):
        return JPEG
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return PNG
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return WEBP
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
    if fmt is JPEG and data.count(b"\xff\xda") > MAX_SCANS:
        raise ValueError("too many scans")
    with Image.open(BytesIO(data), formats=[fmt.name]) as image:
        if image.width * image.height > (MAX_PIXELS_SCALED if fmt is JPEG else MAX_PIXELS):
            raise ValueError("too many pixels")
        # A JPEG of two frames is a photograph with a preview or a depth map, as phones make them.
        if fmt is not JPEG and getattr(image, "is_animated", False):
            raise ValueError("moving")
        yield image


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
    # Pillow's writers copy profiles and comments from here.
    image.info.clear()
    file = BytesIO()
    image.save(file, fmt.name, **fmt.options)
    return file.getvalue()
