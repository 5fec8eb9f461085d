"""How many declarations are accepted: of one phone, of one mail address, from one caller."""

from dataclasses import dataclass
from typing import Any

from shared.language.limits import Limit


@dataclass(frozen=True)
class SubmissionLimits:
    """``address`` is None where limits by address are lifted; the other two always hold."""

    phone: Limit
    email: Limit
    address: Limit | None

    def of(self, form: dict[str, Any], caller: str) -> list[tuple[Limit, str]]:
        """Return what a checked form counts for, each limit with its subject."""
        counted = [(self.phone, form["phone"])]
        if form.get("email"):
            counted.append((self.email, form["email"].casefold()))
        if self.address is not None:
            counted.append((self.address, caller))
        return counted
