"""The imports of all services, for what is tested of each: its command, its columns, and a row it takes."""

from dataclasses import dataclass

import click
import sqlalchemy as sa
from click.testing import CliRunner

from services.approval import models as approval
from services.approval.commands.register import register
from services.cards import models as cards
from services.cards.commands import card
from services.registration import models as registration
from services.registration.commands import agency


@dataclass(frozen=True)
class Import:
    """A command, the service whose table it fills, and a row of a person, an agency or a group that nobody has."""

    command: click.Command
    words: tuple[str, ...]
    service: str
    table: sa.Table
    things: str
    header: tuple[str, ...]
    row: tuple[str, ...]
    changed: tuple[str, ...]
    optional: tuple[str, ...] = ()

    @property
    def key(self) -> list[str]:
        return [column.name for column in self.table.primary_key]

    @property
    def required(self) -> set[str]:
        return set(self.header) - set(self.optional)

    def run(self, file):
        answer = CliRunner().invoke(self.command, [*self.words, str(file)])
        return answer.exit_code, answer.output

    def text(self, *rows, separator=","):
        """Return a file of the header and rows."""
        return "".join(separator.join(cells) + "\n" for cells in (self.header, *rows))


IMPORTS = {
    "register": Import(
        *(register, ("import",), "approval", approval.register_people, "people"),
        header=("insurance_code", "full_name", "birth_date", "gender", "id_number"),
        row=("7900000017", "Nguyễn Văn Thử", "1985-08-15", "male", "079085000017"),
        changed=("7900000017", "Nguyễn Văn Mẫu", "1985", "male", ""),
    ),
    "agency": Import(
        *(agency, ("import",), "registration", registration.agencies, "agencies"),
        header=("code", "name", "province_code", "opened_on"),
        row=("99001", "BHXH Mẫu", "79", "2025-07-01"),
        changed=("99001", "BHXH Thử", "79", ""),
        optional=("opened_on",),
    ),
    "groups": Import(
        *(card, ("groups", "import"), "cards", cards.participations, "participations"),
        header=("insurance_code", "group_code", "valid_from", "valid_to"),
        row=("7900000017", "DN", "2026-01-01", ""),
        changed=("7900000017", "DN", "2026-01-01", "2026-06-30"),
        optional=("valid_to",),
    ),
    "levels": Import(
        *(card, ("levels", "import"), "cards", cards.benefit_levels, "benefit levels"),
        header=("group_code", "name", "payer", "level", "valid_from"),
        row=("ZZ", "nhóm mẫu", "budget", "3", "2026-07-01"),
        changed=("ZZ", "nhóm thử", "budget", "4", "2026-07-01"),
    ),
}
