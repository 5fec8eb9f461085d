"""Pictures are kept without secrets and without tricks, and their QR codes are read."""

import struct
import subprocess
import sys
import zlib
from contextlib import suppress
from io import BytesIO
from pathlib import Path

import pytest
import zxingcpp
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from services.registration.domain.qr import read_qr
from services.registration.media.picture import read_picture
from services.registration.media.qr_picture import read_qr_picture
from shared.language.errors import FieldError, Invalid, TooLarge, Unsupported
from shared.language.values import LARGEST_PICTURE
from tests.support.pictures import encoded, picture

MAN = "079085000017|024000017|Nguyễn Văn Thử|15081985|Nam|Ấp Mẫu, Xã Thử Nghiệm, Hóc Môn, TP. Hồ Chí Minh|25042021"
NEW_CARD = (
    "7900000017|5472e1baa76e205468e1bb8b204de1baab75|12/03/1990|2|-|79 - 014|01/01/2024|-|28/12/2023|"
    "79217900000017|-|4| 01/01/2028|0000000000000000-0000|4|"
    "487579e1bb876e2048c3b363204dc3b46e2c205468c3a06e68207068e1bb912048e1bb93204368c3ad204d696e68|$"
)
FORMATS = [("JPEG", "image/jpeg", ".jpg"), ("PNG", "image/png", ".png"), ("WEBP", "image/webp", ".webp")]
HEIC = "HEIF"  # as Pillow calls it; kept as JPEG
# What /proc calls the high-water mark is the process's own; getrusage would report its parent's.
REFUSE_AND_MEASURE = """
import re, sys
from pathlib import Path
from services.registration.media.picture import read_picture
from shared.language.errors import Invalid
try:
    read_picture(sys.stdin.buffer.read())
except Invalid:
    print(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1])
"""
NAMES = [*(name for name, _, _ in FORMATS), HEIC]


def opened(data):
    image = Image.open(BytesIO(data))
    image.load()
    return image


def assert_unreadable(data):
    with pytest.raises(Invalid) as refusal:
        read_picture(data)
    assert refusal.value.code == "unreadable_image"
    assert refusal.value.errors == (FieldError("file", "unreadable_image"),)


def png_chunk(kind, content):
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png_of_zeros(width, height, mebibytes=1):
    """Return a PNG that declares ``width`` x ``height`` RGB pixels and holds so many zeros, packed small."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    packer = zlib.compressobj()
    zeros = b"".join([packer.compress(bytes(2**20)) for _ in range(mebibytes)] + [packer.flush()])
    chunks = (b"IHDR", header), (b"IDAT", zeros), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(*chunk) for chunk in chunks)


def exif(orientation):
    notes = Image.Exif()
    notes[0x0112] = orientation
    notes[0x010E] = "SECRET PLACE"
    return notes.tobytes()  # as bytes, or no HEIC is turned


def qr_image(text):
    code = zxingcpp.create_barcode(text, zxingcpp.BarcodeFormat.QRCode)
    return Image.fromarray(code.to_image(scale=4)).convert("RGB")


@pytest.mark.parametrize(("name", "content_type", "suffix"), FORMATS)
def test_a_picture_stays_in_its_format(name, content_type, suffix):
    kept = read_picture(picture(name))
    assert (kept.content_type, kept.suffix) == (content_type, suffix)
    assert (opened(kept.data).format, opened(kept.data).size) == (name, (400, 300))


def test_a_heic_is_kept_as_jpeg():
    kept = read_picture(picture(HEIC))
    assert (kept.content_type, kept.suffix) == ("image/jpeg", ".jpg")
    assert (opened(kept.data).format, opened(kept.data).size) == ("JPEG", (400, 300))


def test_a_heic_that_is_seen_through_is_kept_as_jpeg():
    assert opened(read_picture(picture(HEIC, mode="RGBA")).data).mode == "RGB"


@pytest.mark.parametrize("name", ["JPEG", HEIC])
def test_a_burst_of_a_phone_is_its_first_picture(name):
    image = Image.new("RGB", (400, 300), "red")
    burst = encoded(
        image, "MPO" if name == "JPEG" else name, save_all=True, append_images=[Image.new("RGB", (400, 300))]
    )
    red, green, _ = opened(read_picture(burst).data).getpixel((200, 150))
    assert red > 200 > 60 > green


def test_the_film_behind_a_photograph_does_not_cost_it():
    """Samsung's and Pixel's motion photos: a JPEG, and behind its end a film, in which every byte may stand."""
    film = b"MotionPhoto_Data\0\0\0\x18ftypmp42" + b"\xff\xda\0\x0c" * 20_000
    kept = read_picture(picture("JPEG", (1000, 1000), progressive=True) + film)
    assert b"MotionPhoto" not in kept.data and opened(kept.data).size == (1000, 1000)


@pytest.mark.parametrize("hidden", [b"\xff\x01\xff\xff", b"\xff\x02\xff\xff", b"\xff\xd8\xff\xff"])
def test_no_marker_hides_scans_from_the_count(hidden):
    """What the decoder reads past must not be what the count stops at, or skips over."""
    whole = picture("JPEG", (1000, 1000), progressive=True)
    last_scan = whole.rindex(b"\xff\xda")
    scans = whole[last_scan:-2] * 1000
    assert_unreadable(whole[:last_scan] + hidden + scans + b"\xff\xd9")


@pytest.mark.parametrize(("name", "size"), [("JPEG", (8160, 6144)), (HEIC, (5712, 4284))])
def test_the_largest_pictures_of_usual_phones_are_taken(name, size):
    kept = opened(read_picture(picture(name, size, quality=30)).data)
    assert max(kept.size) == 2000


@pytest.mark.parametrize("name", NAMES)
def test_nothing_but_the_pixels_is_kept(name):
    notes = {
        "exif": exif(1),
        "icc_profile": b"SECRET PROFILE",
        "xmp": b"SECRET XMP",
        "comment": b"SECRET COMMENT",
    }
    data = picture(name, **notes)
    assert b"SECRET" in data
    kept = read_picture(data).data
    assert b"SECRET" not in kept
    assert not opened(kept).getexif()
    assert not {"exif", "icc_profile", "xmp", "comment"} & set(opened(kept).info)


@pytest.mark.parametrize("name", NAMES)
def test_what_hangs_on_behind_the_picture_is_dropped(name):
    kept = read_picture(picture(name) + b"PK\x03\x04 <script>SECRET</script>").data
    assert b"SECRET" not in kept


def test_texts_inside_a_png_are_dropped():
    data = picture("PNG")
    end = data.index(b"IEND") - 4
    kept = read_picture(data[:end] + png_chunk(b"tEXt", b"Author\0SECRET") + data[end:]).data
    assert b"SECRET" not in kept


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("orientation", "corner"),
    [
        (1, (0, 0)),
        (2, (1, 0)),
        (3, (1, 1)),
        (4, (0, 1)),
        (5, (0, 0)),
        (6, (1, 0)),
        (7, (1, 1)),
        (8, (0, 1)),
    ],
)
def test_a_picture_is_turned_as_the_camera_was_held(name, orientation, corner):
    image = Image.new("RGB", (300, 200), "white")
    image.paste("red", (0, 0, 100, 100))
    turned = opened(read_picture(encoded(image, name, exif=exif(orientation))).data).convert("RGB")
    assert turned.size == ((300, 200) if orientation < 5 else (200, 300))
    across, down = corner
    red, green, _ = turned.getpixel((8 + across * (turned.width - 16), 8 + down * (turned.height - 16)))
    assert red > 200 > 60 > green


def test_an_unreadable_exif_note_does_not_cost_the_picture():
    read_picture(picture("JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff"))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("before", "after"), [((3000, 1500), (2000, 1000)), ((1000, 2500), (800, 2000))])
def test_a_large_picture_is_made_smaller_in_proportion(name, before, after):
    assert opened(read_picture(picture(name, before)).data).size == after


def test_a_small_picture_is_not_blown_up():
    assert opened(read_picture(picture(size=(200, 240))).data).size == (200, 240)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", [(199, 300), (300, 199), (1, 1)])
def test_a_picture_on_which_nobody_can_be_known_is_refused(name, size):
    with pytest.raises(Invalid) as refusal:
        read_picture(picture(name, size))
    assert refusal.value.code == "unreadable_image"
    assert refusal.value.errors == (FieldError("file", "picture_too_small", {"limit": 200}),)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "I;16"])
def test_every_colour_model_of_png_is_read(mode):
    image = Image.new(mode, (200, 200)) if mode == "I;16" else Image.new("RGB", (200, 200)).convert(mode)
    if mode == "PA":
        image = image.convert("P")
        image.info["transparency"] = 0
    assert opened(read_picture(encoded(image, "PNG")).data).mode in ("L", "RGB", "RGBA")


def test_sixteen_bits_of_grey_keep_their_tones():
    kept = opened(read_picture(encoded(Image.new("I;16", (200, 200), 0x8000), "PNG")).data)
    assert kept.getpixel((5, 5)) == 0x80


def test_transparency_is_kept():
    assert opened(read_picture(picture("PNG", mode="RGBA")).data).mode == "RGBA"


def test_a_jpeg_in_printing_colours_is_read():
    assert opened(read_picture(picture("JPEG", mode="CMYK")).data).mode == "RGB"


def test_a_photograph_with_a_second_frame_is_the_first_frame():
    data = picture("MPO", save_all=True, append_images=[Image.new("RGB", (90, 90))])
    kept = read_picture(data)
    assert (kept.content_type, opened(kept.data).size) == ("image/jpeg", (400, 300))


@pytest.mark.parametrize("name", ["GIF", "BMP", "TIFF", "PDF", "ICO", "JPEG2000"])
def test_other_picture_formats_are_not_read(name):
    with pytest.raises(Unsupported) as refusal:
        read_picture(picture(name))
    assert refusal.value.errors == (FieldError("file", "unsupported_media_type"),)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"just words",
        b"%PDF-1.7",
        b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>",
        b"PK\x03\x04",
        b"RIFF\0\0\0\0WAVE",
        b"\0\0\0\x18ftypmp42",
        b"\0\0\0\x18ftypavif",
    ],
)
def test_what_is_no_picture_is_not_read(data):
    with pytest.raises(Unsupported):
        read_picture(data)


@pytest.mark.parametrize(
    "magic",
    [b"\xff\xd8\xff\xe0", b"\x89PNG\r\n\x1a\n", b"RIFF\0\0\0\0WEBP", b"\0\0\0\x18ftypheic"],
    ids=["jpeg", "png", "webp", "heic"],
)
def test_a_file_that_only_begins_like_a_picture_is_unreadable(magic):
    assert_unreadable(magic + b"\0" * 200)
    assert_unreadable(magic + picture("GIF"))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("part", [0.02, 0.5, 0.9])
def test_a_cut_off_picture_is_unreadable(name, part):
    noise = encoded(Image.effect_noise((300, 300), 60), name)
    assert_unreadable(noise[: int(len(noise) * part)])


@pytest.mark.parametrize("name", ["PNG", "WEBP"])
def test_a_moving_picture_is_unreadable(name):
    other = Image.new("RGB", (400, 300), "red")
    assert_unreadable(picture(name, save_all=True, append_images=[other]))


@pytest.mark.parametrize("size", [(7100, 7100), (60_000, 60_000), (2**31 - 1, 2**31 - 1)])
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_a_picture_of_too_many_pixels_is_refused(size):
    assert_unreadable(png_of_zeros(*size))


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux to measure")
def test_a_bomb_takes_no_memory():
    bomb = png_of_zeros(7100, 7100, mebibytes=145)
    assert len(bomb) < 200_000
    peak = subprocess.run([sys.executable, "-c", REFUSE_AND_MEASURE], input=bomb, capture_output=True, check=True)
    assert int(peak.stdout) < 100_000  # KiB; decoded, the picture takes 148,000


def test_a_jpeg_of_endless_scans_is_refused():
    whole = picture("JPEG", (1000, 1000), progressive=True)
    last_scan = whole.rindex(b"\xff\xda")
    assert_unreadable(whole[:last_scan] + whole[last_scan:-2] * 1000 + b"\xff\xd9")


def test_a_file_over_eight_mebibytes_is_too_large():
    with pytest.raises(TooLarge) as refusal:
        read_picture(picture() + b"\0" * LARGEST_PICTURE)
    assert (refusal.value.code, refusal.value.details) == ("too_large", {"limit": LARGEST_PICTURE})


@given(st.sampled_from(NAMES), st.floats(0, 1), st.binary(min_size=1, max_size=20))
def test_no_damage_does_more_than_make_a_picture_unreadable(name, place, damage):
    data = bytearray(picture(name, (60, 60)))
    at = int(place * len(data))
    data[at : at + len(damage)] = damage
    with suppress(Invalid, Unsupported):
        read_picture(bytes(data))


@pytest.mark.parametrize("payload", [MAN, NEW_CARD], ids=["identity card", "health card"])
@pytest.mark.parametrize("name", NAMES)
def test_the_qr_code_of_a_card_is_read_from_its_picture(payload, name):
    card = Image.new("RGB", (1600, 1000), "#d8e8d0")
    card.paste(qr_image(payload), (900, 100))
    text = read_qr_picture(encoded(card.rotate(7, expand=True), name))
    assert text == payload
    assert read_qr(text).fields["full_name"] in ("Nguyễn Văn Thử", "Trần Thị Mẫu")


@pytest.mark.parametrize("turn", [90, 180, 270])
def test_a_qr_code_is_read_whichever_way_the_card_lies(turn):
    assert read_qr_picture(encoded(qr_image(MAN).rotate(turn, expand=True), "PNG")) == MAN


@pytest.mark.parametrize(
    "data", [picture(), picture()[:500], picture("GIF"), b"", b"just words", png_of_zeros(60_000, 60_000)]
)
def test_without_a_qr_code_there_is_nothing_to_read(data):
    with pytest.raises(Invalid) as refusal:
        read_qr_picture(data)
    assert refusal.value.code == "unreadable_qr"
    assert refusal.value.errors == (FieldError("image", "unreadable_qr"),)


def test_a_picture_too_large_to_be_kept_is_too_large_to_be_scanned():
    with pytest.raises(TooLarge):
        read_qr_picture(b"\0" * (LARGEST_PICTURE + 1))
