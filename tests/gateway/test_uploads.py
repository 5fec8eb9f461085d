"""Pictures over HTTP: what is kept of them, and what is refused."""

import struct
import zlib
from io import BytesIO

import pytest
import requests
from PIL import Image

from shared.language.values import LARGEST_PICTURE
from tests.support.answers import done, fields_refused, refused
from tests.support.people import PURPOSES
from tests.support.pictures import PICTURE, picture
from tests.support.waiting import at_once

FORMATS = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp"}
BOUNDARY = "ranh-gioi"


def png_chunk(kind, content):
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png_bomb():
    """Return a small PNG that says it holds 900 million pixels."""
    header = struct.pack(">IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0)
    chunks = (b"IHDR", header), (b"IDAT", zlib.compress(bytes(2**20))), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(*chunk) for chunk in chunks)


def photograph(kind, size):
    kept = BytesIO()
    Image.effect_noise(size, 60).convert("L" if kind == "PNG" else "RGB").save(kept, kind, quality=80, method=0)
    return kept.getvalue()


def moving_picture():
    kept = BytesIO()
    frames = [Image.new("RGB", (32, 32), colour) for colour in ("red", "blue")]
    frames[0].save(kept, "PNG", save_all=True, append_images=frames[1:])
    return kept.getvalue()


def with_secrets(kind):
    notes = Image.Exif()
    notes[0x010E] = "SECRET PLACE"
    notes[0x010F] = "SECRET CAMERA"
    options = {"exif": notes, "icc_profile": b"SECRET PROFILE"}
    return picture(kind, **options | ({"comment": b"SECRET COMMENT"} if kind == "JPEG" else {}))


NOT_PICTURES = {
    "a GIF": picture("GIF"),
    "a BMP": picture("BMP"),
    "a TIFF": picture("TIFF"),
    "text": b"not a picture",
    "SVG with a script": b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
    "HTML": b"<html><script>alert(1)</script>",
    "a PDF": b"%PDF-1.7\n%%EOF",
    "an archive": b"PK\x03\x04" + bytes(100),
    "AVIF": b"\0\0\0\x18ftypavif" + bytes(100),
    "a film of a phone": b"\0\0\0\x18ftypmp42" + bytes(100),
    "one zero": b"\0",
}
UNREADABLE = {
    "half a JPEG": PICTURE[: len(PICTURE) // 2],
    "half a PNG": picture("PNG", (400, 300))[:200],
    "half a WebP": picture("WEBP", (400, 300))[:60],
    "three bytes of a JPEG": b"\xff\xd8\xff",
    "a PNG bomb": png_bomb(),
    "a moving picture": moving_picture(),
    "a GIF behind a JPEG's first bytes": b"\xff\xd8\xff" + picture("GIF"),
    "a PNG of no size": b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", struct.pack(">IIBBBBB", 0, 0, 8, 2, 0, 0, 0)),
    "zeros behind a JPEG's first bytes": b"\xff\xd8\xff" + bytes(1_000_000),
}


def part(name, content, filename=None, content_type=None):
    named = f'; filename="{filename}"' if filename is not None else ""
    kind = f"Content-Type: {content_type}\r\n" if content_type else ""
    return (
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{named}\r\n{kind}\r\n'.encode()
        + content
        + b"\r\n"
    )


END = f"--{BOUNDARY}--\r\n".encode()
FILE, PURPOSE = part("file", PICTURE, "anh.jpg"), part("purpose", b"portrait")


def post(system, content, boundary=BOUNDARY, **headers):
    named = {"Content-Type": f"multipart/form-data; boundary={boundary}", **headers}
    return system.call("POST", "/uploads", data=content, headers=named)


def kept_file(system, upload_id):
    """Return what lies in the store for an upload."""
    ((key,),) = system.rows("registration", "SELECT key FROM uploads WHERE upload_id = ?", upload_id)
    return (system.var / "store" / key).read_bytes()


def upload_files(system):
    """Return the pictures that lie in the store, in the folders of their purposes."""
    return {one for one in (system.var / "store" / "uploads").glob("*/*") if one.is_file()}


@pytest.fixture
def nothing_kept(system):
    """See that the test leaves no upload behind, neither row nor file."""

    def kept():
        return system.how_many("uploads"), sorted(
            one.name for one in (system.var / "store").rglob("*") if one.is_file()
        )

    before = kept()
    yield
    assert kept() == before


@pytest.mark.parametrize("purpose", [*PURPOSES, "birth_certificate"])
def test_a_picture_is_kept_for_every_purpose(system, purpose):
    kept = done(system.upload(purpose), 201)
    assert set(kept) == {"upload_id", "purpose", "content_type", "bytes"}
    assert (kept["purpose"], kept["content_type"]) == (purpose, "image/jpeg")
    assert kept["bytes"] == len(kept_file(system, kept["upload_id"]))


@pytest.mark.parametrize("kind", FORMATS)
def test_a_picture_stays_in_its_format_whatever_its_name_says(system, kind):
    for name, said in (("a.jpg", "image/gif"), ("../../a.exe", "text/html"), ("ảnh thẻ.png", None), ("a\x00b", "a/b")):
        file = (name, picture(kind), said) if said else (name, picture(kind))
        kept = done(system.call("POST", "/uploads", files={"file": file}, data={"purpose": "portrait"}), 201)
        assert kept["content_type"] == FORMATS[kind]
        assert Image.open(BytesIO(kept_file(system, kept["upload_id"]))).format == kind


def test_a_heic_of_an_iphone_is_kept_as_jpeg(system):
    kept = done(system.upload("portrait", picture("HEIF", (1200, 900))), 201)
    assert kept["content_type"] == "image/jpeg"
    assert Image.open(BytesIO(kept_file(system, kept["upload_id"]))).format == "JPEG"


def test_what_only_begins_like_a_heic_is_unreadable(system):
    refused(system.upload("portrait", b"\0\0\0\x18ftypheic" + bytes(100)), 400, "unreadable_image")


@pytest.mark.parametrize("kind", FORMATS)
def test_what_a_camera_notes_beside_the_picture_is_not_kept(system, kind):
    content = with_secrets(kind)
    assert b"SECRET" in content
    kept = kept_file(system, done(system.upload("portrait", content), 201)["upload_id"])
    assert b"SECRET" not in kept
    assert not Image.open(BytesIO(kept)).getexif()


@pytest.mark.parametrize("kind", FORMATS)
def test_what_hangs_on_behind_a_picture_is_not_kept(system, kind):
    content = picture(kind) + b"PK\x03\x04<script>SECRET</script><?php SECRET ?>"
    kept = kept_file(system, done(system.upload("portrait", content), 201)["upload_id"])
    assert b"SECRET" not in kept


@pytest.mark.parametrize("kind", FORMATS)
def test_a_large_photograph_is_kept_smaller(system, kind):
    """Noise compresses as badly as a photograph, and holds every byte that a boundary may begin with."""
    content = photograph(kind, (4000, 3000) if kind == "JPEG" else (2200, 1650))
    assert 1_000_000 < len(content) < LARGEST_PICTURE
    kept = done(system.upload("id_front", content), 201)
    assert Image.open(BytesIO(kept_file(system, kept["upload_id"]))).size == (2000, 1500)


def test_a_file_of_exactly_the_largest_size_is_read(system):
    content = PICTURE + bytes(LARGEST_PICTURE - len(PICTURE))
    done(system.upload("portrait", content), 201)


@pytest.mark.usefixtures("nothing_kept")
@pytest.mark.parametrize("over", [1, 100_000, 20_000_000])
def test_a_larger_file_is_too_large(system, over):
    content = PICTURE + bytes(LARGEST_PICTURE + over - len(PICTURE))
    refused(system.upload("portrait", content), 413, "too_large")


@pytest.mark.usefixtures("nothing_kept")
def test_a_larger_file_in_chunks_is_too_large(system):
    def chunks():
        yield part("purpose", b"portrait") + part("file", PICTURE, "anh.jpg")[:-2]
        for _ in range(10):
            yield bytes(1024 * 1024)
        yield b"\r\n" + END

    try:
        answer = post(system, chunks())
    except requests.ConnectionError:
        return  # refused before the rest was sent
    refused(answer, 413, "too_large")


@pytest.mark.usefixtures("nothing_kept")
@pytest.mark.parametrize("content", NOT_PICTURES.values(), ids=NOT_PICTURES.keys())
def test_another_format_is_not_supported(system, content):
    refused(system.upload("portrait", content), 415, "unsupported_media_type")


@pytest.mark.usefixtures("nothing_kept")
@pytest.mark.parametrize("content", UNREADABLE.values(), ids=UNREADABLE.keys())
def test_a_broken_picture_is_unreadable(system, content):
    problem = refused(system.upload("portrait", content), 400, "unreadable_image")
    assert fields_refused(problem) == {"file": "unreadable_image"}


@pytest.mark.usefixtures("nothing_kept")
@pytest.mark.parametrize("purpose", ["Portrait", "passport", "", "portrait ", "a" * 50_000, "\0", "chân dung"])
def test_a_purpose_is_one_of_four(system, purpose):
    problem = refused(system.upload(purpose), 400, "invalid_request")
    assert fields_refused(problem) == {"purpose": "not_a_choice"}


@pytest.mark.usefixtures("nothing_kept")
@pytest.mark.parametrize(
    ("content", "field", "code"),
    [
        (FILE + END, "purpose", "required"),
        (PURPOSE + END, "file", "required"),
        (PURPOSE + part("file", b"", "anh.jpg") + END, "file", "required"),
        (PURPOSE + FILE + FILE + END, "file", "repeated"),
        (PURPOSE + PURPOSE + FILE + END, "purpose", "repeated"),
        (PURPOSE + FILE + part("other", PICTURE, "b.jpg") + END, "other", "unknown_field"),
        (PURPOSE + FILE + part("note", b"a") + END, "note", "unknown_field"),
        (PURPOSE + part("file", PICTURE) + END, "file", "unknown_field"),
        (END, "file", "required"),
    ],
    ids=[
        "no purpose",
        "no file",
        "an empty file",
        "two files",
        "two purposes",
        "another file",
        "another field",
        "a file without a name",
        "nothing",
    ],
)
def test_one_file_and_its_purpose_are_wanted(system, content, field, code):
    problem = refused(post(system, content), 400, "invalid_request")
    assert fields_refused(problem) == {field: code}


@pytest.mark.usefixtures("nothing_kept")
@pytest.mark.parametrize(
    ("content", "boundary"),
    [
        (b"", BOUNDARY),
        (b"nothing of multipart", BOUNDARY),
        (FILE + PURPOSE, BOUNDARY),
        (PURPOSE + FILE[: len(FILE) // 2], BOUNDARY),
        (FILE + PURPOSE + END, "another"),
        (FILE + PURPOSE + END, ""),
        (FILE + PURPOSE + END, "b" * 5000),
        (b"--" + BOUNDARY.encode() + b"\r\nno header at all" + END, BOUNDARY),
        (part("file", PICTURE, "\udcff".encode("utf-8", "surrogateescape").decode("latin-1")) + END, BOUNDARY),
    ],
    ids=[
        "nothing",
        "text",
        "no end",
        "half a file",
        "another boundary",
        "no boundary",
        "a long boundary",
        "no headers",
        "a strange name",
    ],
)
def test_a_broken_body_is_refused(system, content, boundary):
    refused(post(system, content, boundary), 400, "invalid_request")


@pytest.mark.usefixtures("nothing_kept")
@pytest.mark.parametrize(
    "content", [part("note", b"a" * 500_000), b"--" + BOUNDARY.encode() + b"\r\nX: " + b"a" * 500_000]
)
def test_a_field_as_large_as_a_file_is_too_large(system, content):
    refused(post(system, content + FILE + PURPOSE + END), 413, "too_large")


@pytest.mark.usefixtures("nothing_kept")
def test_many_small_fields_are_refused(system):
    fields = b"".join(part(f"f{number}", b"a") for number in range(500))
    refused(post(system, fields + FILE + PURPOSE + END), 400, "invalid_request")


@pytest.mark.usefixtures("nothing_kept")
@pytest.mark.parametrize("content_type", ["application/json", "image/jpeg", "application/octet-stream", None])
def test_a_picture_comes_as_multipart(system, content_type):
    answer = system.call("POST", "/uploads", data=PICTURE, headers={"Content-Type": content_type})
    refused(answer, 415, "unsupported_media_type")


def test_the_same_key_and_picture_give_the_first_upload_again(system):
    first, again = (done(system.upload("portrait", headers={"Idempotency-Key": "anh-mot"}), 201) for _ in range(2))
    assert first == again
    assert kept_file(system, first["upload_id"])


@pytest.mark.parametrize(
    ("purpose", "content"), [("id_front", PICTURE), ("portrait", picture(size=(650, 480)))], ids=["purpose", "picture"]
)
def test_a_key_cannot_be_used_for_another_upload(system, purpose, content):
    key = {"Idempotency-Key": f"anh-{purpose}-{len(content)}"}
    done(system.upload("portrait", headers=key), 201)
    files = upload_files(system)
    refused(system.upload(purpose, content, headers=key), 409, "idempotency_key_reused")
    assert upload_files(system) == files


def test_a_key_sent_twice_at_the_same_instant_keeps_one_upload(system):
    before = system.how_many("uploads"), len(upload_files(system))
    options = {
        "files": {"file": ("a.jpg", PICTURE)},
        "data": {"purpose": "portrait"},
        "headers": {"Idempotency-Key": "anh-hai"},
        "timeout": 30,
    }
    answers = at_once(*[lambda: requests.post(f"{system.base}/uploads", **options)] * 4)
    assert len({done(answer, 201)["upload_id"] for answer in answers}) == 1
    after = system.how_many("uploads"), len(upload_files(system))
    assert after == (before[0] + 1, before[1] + 1)


def test_nothing_is_left_of_the_files_on_their_way_in(system):
    done(system.upload("portrait"), 201)
    assert list((system.var / "store" / "incoming").iterdir()) == []
