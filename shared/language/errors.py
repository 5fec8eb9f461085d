"""The ways we say no, from the rule that refuses to the caller who is told.

Problem
├── Invalid           400  the request is not understood
├── Unauthenticated   401  we do not know who is asking
├── Forbidden         403  we know, and the answer is no
├── NotFound          404
├── NotAllowed        405  not with this method
├── Refused           409  a rule of ours says no
├── TooLarge          413
├── Unsupported       415  a format we do not read
├── Locked            423  too many wrong tries
├── TooMany           429  too many requests
└── Unavailable       503  something we need does not answer

A new rule is a new ``code``, not a new class. Problems cross RPC as themselves (`to_wire`, `from_wire`);
the gateway turns them into RFC 9457 answers and owns the words people read.
"""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, NamedTuple

LONGEST_REASON = 200  # characters


@dataclasses.dataclass(frozen=True)
class FieldError:
    """One field that was refused: its dotted path, a stable code, and the values its sentence needs."""

    field: str
    code: str
    details: Mapping[str, Any] = dataclasses.field(default_factory=dict)


class Refusal(NamedTuple):
    """What a route may refuse with: the HTTP status of the problem's class, and the code."""

    status: int
    code: str


class Problem(Exception):
    """A refusal with a stable code.

    ``errors`` names the fields at fault; ``details`` are values for the sentence (a time, a limit);
    ``retry_after`` is in seconds.
    """

    status: ClassVar[int] = 500
    default_code: ClassVar[str] = "unexpected"

    def __init__(
        self,
        code: str | None = None,
        *,
        errors: Iterable[FieldError] = (),
        retry_after: float | None = None,
        **details: Any,
    ) -> None:
        self.code = code or self.default_code
        self.errors = tuple(errors)
        self.retry_after = retry_after
        self.details = details
        super().__init__(self.code)

    @classmethod
    def codes(cls, *codes: str) -> tuple[Refusal, ...]:
        """Return the refusals of this class with these codes; without any, with its default code."""
        return tuple(Refusal(cls.status, code) for code in codes or (cls.default_code,))

    def __str__(self) -> str:
        fields = ", ".join(f"{error.field}: {error.code}" for error in self.errors)
        return f"{self.code} ({fields})" if fields else self.code


class Invalid(Problem):
    status, default_code = 400, "invalid_request"


class Unauthenticated(Problem):
    status, default_code = 401, "unauthenticated"


class Forbidden(Problem):
    status, default_code = 403, "forbidden"


class NotFound(Problem):
    status, default_code = 404, "not_found"


class NotAllowed(Problem):
    status, default_code = 405, "method_not_allowed"


class Refused(Problem):
    status, default_code = 409, "refused"


class TooLarge(Problem):
    status, default_code = 413, "too_large"


class Unsupported(Problem):
    status, default_code = 415, "unsupported_media_type"


class Locked(Problem):
    status, default_code = 423, "locked"


class TooMany(Problem):
    status, default_code = 429, "too_many_requests"


class Unavailable(Problem):
    status, default_code = 503, "unavailable"


KINDS = {
    kind.__name__: kind
    for kind in (
        Invalid,
        Unauthenticated,
        Forbidden,
        NotFound,
        NotAllowed,
        Refused,
        TooLarge,
        Unsupported,
        Locked,
        TooMany,
        Unavailable,
    )
}


def reason_of(error: BaseException) -> str:
    """Return the first line of what stood behind an error: of a server that does not answer, where it is and why."""
    cause = error.__cause__ or error
    return str(cause).partition("\n")[0][:LONGEST_REASON] or type(cause).__name__


def to_wire(problem: Problem) -> dict[str, Any]:
    """Return the problem as plain values that JSON can carry; of a kind of its own, as the kind it is one of."""
    kinds = (kind.__name__ for kind in type(problem).__mro__)
    return {
        "kind": next((kind for kind in kinds if kind in KINDS), Problem.__name__),
        "code": problem.code,
        "errors": [[error.field, error.code, dict(error.details)] for error in problem.errors],
        "retry_after": problem.retry_after,
        "details": problem.details,
    }


def from_wire(wire: Mapping[str, Any]) -> Problem:
    """Rebuild the problem that `to_wire` described."""
    kind = KINDS.get(wire["kind"], Problem)
    return kind(
        wire["code"],
        errors=[FieldError(*error) for error in wire["errors"]],
        retry_after=wire["retry_after"],
        **wire["details"],
    )
