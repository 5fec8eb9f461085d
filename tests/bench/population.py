"""Invented declarations by the million: the same place in the row gives the same one in every table."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

from shared.language.text import search_key
from shared.language.values import Status

FAMILY = [
    "Nguyễn",
    "Trần",
    "Lê",
    "Phạm",
    "Hoàng",
    "Huỳnh",
    "Phan",
    "Vũ",
    "Võ",
    "Đặng",
    "Bùi",
    "Đỗ",
    "Hồ",
    "Ngô",
    "Dương",
    "Lý",
]
MIDDLE = [
    "Văn",
    "Thị",
    "Hữu",
    "Đức",
    "Ngọc",
    "Minh",
    "Thanh",
    "Quốc",
    "Gia",
    "Bảo",
    "Thùy",
    "Kim",
    "Xuân",
    "Thu",
    "Hồng",
    "Anh",
]
GIVEN = [
    "An",
    "Bình",
    "Châu",
    "Dũng",
    "Đạt",
    "Giang",
    "Hạnh",
    "Hồng",
    "Khánh",
    "Lan",
    "Linh",
    "Mai",
    "Nam",
    "Oanh",
    "Phúc",
    "Quỳnh",
    "Sơn",
    "Tâm",
    "Uyên",
    "Vinh",
    "Yến",
    "Thắng",
]
AGENCIES = ("07921", "07901", "001", "004", "008", "031", "048", "051", "056", "079")  # a tenth of all each
ENDED = (Status.APPROVED,) * 17 + (Status.REJECTED,) * 2 + (Status.WITHDRAWN,)
FIRST_CODE = 1_000_000_000  # of insurance codes; those of the people who come to declare begin with 790
NOW = datetime.now(UTC)

REGISTER = ("insurance_code", "full_name", "birth_date", "gender", "id_number")
DECLARATIONS = (
    *("declaration_id", "number", "tracking_code", "kind", "agency", "insurance_code", "applicant", "submitted_at"),
    *("expires_at", "status", "received_at", "handled_version", "decided_at", "history"),
)
REVIEWS = (
    *("declaration_id", "number", "kind", "agency_code", "agency", "insurance_code", "full_name", "name_key"),
    *("dossier", "submitted_at", "expires_at", "status", "assigned_to", "received_at", "version", "decided_at"),
    *("decided_by", "history"),
)


class Case:
    """One declaration. One in twenty is undecided, and half of those are assigned to nobody."""

    def __init__(self, place: int) -> None:
        dice = mixed(place)
        self.place, self._dice = place, dice
        self.declaration_id = f"{dice >> 32:08x}-{dice >> 16 & 0xFFFF:04x}-4000-8000-{place:012x}"
        self.number = f"2025-{place:09d}"
        self.insurance_code = str(FIRST_CODE + place)
        self.agency_code = AGENCIES[dice % len(AGENCIES)]
        pending = dice >> 8 & 0xFF < 13  # one in twenty
        self.status = Status.PENDING if pending else ENDED[(dice >> 16) % len(ENDED)]
        days = (dice >> 24 & 0xFFFF) / 0x10000 * (9 if pending else 700) + (0 if pending else 10)
        self.submitted_at = NOW - timedelta(days=days)
        self.received_at = None if pending and dice & 1 else self.submitted_at + timedelta(days=days / 10)
        self.decided_at = None if pending else self.submitted_at + timedelta(days=3)

    @cached_property
    def full_name(self) -> str:
        dice = self._dice >> 3
        names = (FAMILY[dice % 16], MIDDLE[dice // 16 % 16], MIDDLE[dice // 256 % 16], GIVEN[dice // 4096 % len(GIVEN)])
        return " ".join(names)

    @property
    def known(self) -> bool:
        """Whether the personal data are still there."""
        return self.status != Status.WITHDRAWN

    @property
    def papers(self) -> dict[str, Any]:
        key = f"uploads/{self.declaration_id}.jpg"
        return {
            "id_document": {"type": "cccd", "number": f"079185{self.place % 10**6:06d}"},
            "address": {"province_code": "79", "province_name": "Thành phố Hồ Chí Minh", "street": "12 Đường Mẫu"},
            "contact": {"phone": f"+8491{self.place % 10**7:07d}", "email": f"nguoi.{self.place}@vidu.example"},
            "photos": {"portrait": key, "id_front": key, "id_back": key},
        }

    @property
    def agency(self) -> str:
        return f'{{"code": "{self.agency_code}", "name": "Bảo hiểm xã hội", "address": null}}'

    def history(self, **more: str) -> str:
        return json.dumps([{"at": self.submitted_at.isoformat(), "what": "submitted", **more}])

    def register_row(self) -> tuple[Any, ...]:
        return self.insurance_code, self.full_name, "1985-08-15", "female", f"079185{self.place % 10**6:06d}"

    def declaration_row(self) -> tuple[Any, ...]:
        applicant = json.dumps({"full_name": self.full_name, **self.papers}, ensure_ascii=False) if self.known else None
        return (
            *(self.declaration_id, self.number, "ABCDEFGHJK", "register", self.agency),
            *(self.insurance_code if self.known else None, applicant),
            *(self.submitted_at, self.submitted_at + timedelta(days=10), self.status),
            *(self.received_at, 1 if self.received_at else 0, self.decided_at, self.history()),
        )

    def review_row(self) -> tuple[Any, ...]:
        names = (self.full_name, search_key(self.full_name)) if self.known else (None, None)
        dossier = json.dumps(self.papers, ensure_ascii=False) if self.known else None
        officer = "canbo.mau" if self.received_at else None
        return (
            *(self.declaration_id, self.number, "register", self.agency_code, self.agency),
            *(self.insurance_code if self.known else None, *names, dossier),
            *(self.submitted_at, self.submitted_at + timedelta(days=10), self.status, officer),
            *(self.received_at, 1 if self.received_at else 0, self.decided_at),
            *(officer if self.decided_at else None, self.history(officer="")),
        )


def mixed(place: int) -> int:
    """Return 64 bits that look drawn, and are the same for the same place."""
    bits = (place + 1) * 0x9E3779B97F4A7C15 & 0xFFFFFFFFFFFFFFFF
    bits = (bits ^ bits >> 30) * 0xBF58476D1CE4E5B9 & 0xFFFFFFFFFFFFFFFF
    return bits ^ bits >> 31


def cases(first: int, after: int) -> Iterator[Case]:
    return (Case(place) for place in range(first, after))
