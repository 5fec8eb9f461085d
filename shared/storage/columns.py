"""Column types that every service's tables use, and the INSERT of their dialect."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

BigId = sa.BigInteger().with_variant(sa.Integer, "sqlite")  # SQLite counts only INTEGER keys up by itself


class UtcDateTime(sa.TypeDecorator[datetime]):
    """A time in UTC, aware on both sides; SQLite drops the zone, so it is put back."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        return value.astimezone(UTC) if value else value

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        return value.replace(tzinfo=UTC) if value and value.tzinfo is None else value


class JsonOf(sa.TypeDecorator[Any]):
    """A dataclass kept as JSON; fields that a newer version added are ignored when it is read back."""

    impl = sa.JSON(none_as_null=True)
    cache_ok = True

    def __init__(self, kind: type) -> None:
        self.kind = kind
        super().__init__()

    def process_bind_param(self, value: Any, dialect: sa.Dialect) -> Any:
        return None if value is None else msgspec.to_builtins(value)

    def process_result_value(self, value: Any, dialect: sa.Dialect) -> Any:
        return None if value is None else msgspec.convert(value, self.kind)


def insert_on(dialect: str, table: sa.Table) -> Any:
    """Return the INSERT of a dialect that knows ``ON CONFLICT``."""
    return (postgresql if dialect == "postgresql" else sqlite).insert(table)
