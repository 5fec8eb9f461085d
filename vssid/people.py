"""The invented people of demo and smoke: nobody real has these names, numbers or papers."""

import io
from dataclasses import dataclass
from functools import cache

from PIL import Image, ImageDraw

REGISTER = """insurance_code,full_name,birth_date,gender,id_number
7900000017,Nguyễn Văn Thử,1985-08-15,male,079085000017
7900000025,Trần Thị Mẫu,1990-03-12,female,079190000025
5600000033,Lê Minh Ví Dụ,1978,male,056078000033
"""
OFFICER, AGENCY = "canbo.demo", "07921"


@dataclass(frozen=True)
class DemoPerson:
    """A person who declares: what the form wants, less the pictures."""

    insurance_code: str
    full_name: str
    id_number: str
    phone: str
    email: str


DEMO = DemoPerson("7900000017", "Nguyễn Văn Thử", "079085000017", "0912345678", "nguyen.van.thu@vidu.example")


def declaration_of(person: DemoPerson, agency_code: str, photos: dict[str, str]) -> dict[str, object]:
    """Return the declaration the person sends."""
    return {
        "kind": "register",
        "insurance_code": person.insurance_code,
        "full_name": person.full_name,
        "id_document": {"type": "cccd", "number": person.id_number},
        "address": {"province_code": "79", "district": "Hóc Môn", "street": "12/3 đường Thử Nghiệm, ấp Mẫu"},
        "phone": person.phone,
        "email": person.email,
        "email_copy": True,
        "agency_code": agency_code,
        "photos": photos,
        "terms_accepted": True,
        "commitment": True,
    }


@cache
def picture(text: str) -> bytes:
    """Return a JPEG that shows nothing but a word."""
    image = Image.new("RGB", (640, 400), "#dde6ee")
    ImageDraw.Draw(image).text((40, 180), text, fill="#1c2733")
    kept = io.BytesIO()
    image.save(kept, "JPEG", quality=80)
    return kept.getvalue()
