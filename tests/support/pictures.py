"""Pictures of nothing, in every format."""

from io import BytesIO
from typing import Any

from PIL import Image
from pillow_heif import register_heif_opener

register_heif_opener()


def picture(fmt: str = "JPEG", size: tuple[int, int] = (400, 300), mode: str = "RGB", **options: Any) -> bytes:
    """Return a picture in a format; ``options`` are Pillow's for saving."""
    return encoded(Image.linear_gradient("L").resize(size).convert(mode), fmt, **options)


def encoded(image: Image.Image, fmt: str, **options: Any) -> bytes:
    kept = BytesIO()
    image.save(kept, fmt, **options)
    return kept.getvalue()


PICTURE = picture()
