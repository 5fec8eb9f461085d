"""Chapter h: searches, reads and submissions with ten thousand, a million and ten million rows behind them."""

import json
import random
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from services import smoke
from services.people import declaration_of
from shared.words import Status, search_key
from tests.bench.bench import Bench
from tests.bench.house import API, SEED, House, house
from tests.bench.load import Closed, Outcome, drive, request
from tests.bench.rows import fill
from tests.bench.table import Figure, quantiles

CONNECTIONS = 2  # enough to see how long an answer takes, too few to queue
DESKS = ("registration", "approval", "gateway")
FAMILY = ("Nguyễn", "Trần", "Lê", "Phạm", "Hoàng", "Huỳnh", "Phan", "Vũ", "Võ", "Đặng", "Bùi", "Đỗ", "Hồ", "Ngô", "Dương")
MIDDLE = ("Văn", "Thị", "Hữu", "Đức", "Ngọc", "Minh", "Thanh", "Quốc", "Gia", "Bảo", "Thùy", "Kim", "Xuân", "Thu")
GIVEN = ("An", "Bình", "Châu", "Dũng", "Đạt", "Giang", "Hạnh", "Hồng", "Khánh", "Lan", "Linh", "Mai", "Nam", "Oanh")
GIVEN_TOO = ("Phúc", "Quỳnh", "Sơn", "Tâm", "Uyên", "Vinh", "Xuyến", "Yến", "Thắng", "Trường", "Hường", "Diệu", "Nhật", "Ý")
AGENCIES = ("07921", "07901", "001", "004", "008", "031", "048", "051", "056", "079")  # a tenth of all each
FIRST_CODE = 1_000_000_000  # of insurance codes; those of the invented people begin with 790
NOW = datetime.now(UTC)

REGISTER = ("insurance_code", "full_name", "birth_date", "gender", "id_number")
DECLARATIONS = (
    "declaration_id number tracking_code kind agency insurance_code applicant submitted_at expires_at status"
    " received_at handled_version decided_at history"
).split()
REVIEWS = (
    "declaration_id number kind agency_code agency insurance_code full_name name_key dossier submitted_at expires_at"
    " status assigned_to received_at version decided_at decided_by history"
).split()


class Case:
    """The declaration of a place in the row: the same in every table, and different from all others."""

    def __init__(self, place: int, of: int) -> None:
        chance = random.Random(place)
        self.place, self.declaration_id = place, str(uuid.UUID(int=chance.getrandbits(128), version=4))
        self.number, self.tracking_code = f"2025-{place:09d}", "ABCDEFGHJK"
        self.insurance_code = str(FIRST_CODE + place)
        self.full_name = " ".join((chance.choice(FAMILY), chance.choice(MIDDLE), chance.choice(MIDDLE + GIVEN),
                                   chance.choice(GIVEN + GIVEN_TOO)))
        self.agency_code = chance.choice(AGENCIES)
        pending = chance.random() < 0.05
        self.status = Status.PENDING if pending else chance.choices(
            (Status.APPROVED, Status.REJECTED, Status.WITHDRAWN), (90, 7, 3))[0]
        age = timedelta(days=9 * chance.random()) if pending else timedelta(days=10 + 700 * chance.random())
        self.submitted_at = NOW - age
        taken = self.submitted_at + (NOW - self.submitted_at) * chance.random()
        self.received_at = taken if chance.random() < 0.5 or not pending else None
        self.decided_at = None if pending else self.submitted_at + timedelta(days=3)
