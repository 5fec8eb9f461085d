"""Reads what is written in a PDF of fpdf2's."""

import re
import zlib

OBJECT = re.compile(rb"(\d+) 0 obj\n(.*?)\nendobj", re.DOTALL)
STREAM = re.compile(rb"stream\n(.*)\nendstream", re.DOTALL)
WRITTEN = re.compile(rb"/(F\d+) [\d.]+ Tf|\(((?:[^\\()]|\\.)*)\)|ET\n", re.DOTALL)
ESCAPED = {b"\\r": b"\r", b"\\n": b"\n", b"\\t": b"\t"}


def text_of(pdf: bytes) -> str:
    """Return the words on the pages, line breaks as spaces, by the fonts' own tables of characters."""
    objects = {int(number): body for number, body in OBJECT.findall(pdf)}
    characters = {name: characters_of(objects, int(number)) for name, number in fonts_of(pdf)}
    contents = re.findall(rb"/Contents (\d+) 0 R", pdf)
    lines = " ".join(words(stream_of(objects[int(number)]), characters) for number in contents)
    return " ".join(lines.split())


def fonts_of(pdf: bytes) -> list[tuple[bytes, bytes]]:
    return re.findall(rb"/(F\d+) (\d+) 0 R", pdf)


def characters_of(objects: dict[int, bytes], font: int) -> dict[int, str]:
    table = int(re.search(rb"/ToUnicode (\d+) 0 R", objects[font])[1])
    pairs = re.findall(rb"<([0-9A-F]{4})> <([0-9A-F]+)>\n", stream_of(objects[table]))
    return {int(code, 16): bytes.fromhex(character.decode()).decode("utf-16-be") for code, character in pairs}


def stream_of(body: bytes) -> bytes:
    content = STREAM.search(body)[1]
    return zlib.decompress(content) if b"/FlateDecode" in body else content


def words(content: bytes, characters: dict[bytes, dict[int, str]]) -> str:
    text, font = [], None
    for found in WRITTEN.finditer(content):
        if found[1]:
            font = characters[found[1]]
        elif found[2] is not None:
            codes = re.sub(rb"\\(.)", lambda m: ESCAPED.get(m[0], m[1]), found[2], flags=re.DOTALL)
            text += [font[int.from_bytes(codes[at : at + 2])] for at in range(0, len(codes), 2)]
        else:
            text.append(" ")
    return "".join(text)


def pages_of(pdf: bytes) -> int:
    return len(re.findall(rb"/Type /Page\n", pdf))
