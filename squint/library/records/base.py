"""What all rows have in common: their table is of the one catalogue, and most hold a hash of themselves."""

import hashlib
import json
from typing import Any

from sqlalchemy import JSON, BigInteger, Integer, String, event
from sqlalchemy.orm import DeclarativeBase, Mapped, Mapper, mapped_column

Sha = String(64)
Number = BigInteger().with_variant(Integer, "sqlite")  # of rows that may be many


class Record(DeclarativeBase):
    """A row of some table."""

    type_annotation_map = {dict[str, Any]: JSON, list[Any]: JSON}  # noqa: RUF012 - read by SQLAlchemy


class Checked:
    """A row that is noticed to be damaged: it holds the hash of all its other values."""

    check: Mapped[str] = mapped_column(String(16), default="")

    def digest(self) -> str:
        """Hash the values of the row."""
        names = sorted(column.key for column in self.__mapper__.column_attrs if column.key != "check")  # type: ignore[attr-defined]
        values = json.dumps([[name, getattr(self, name)] for name in names], sort_keys=True, default=repr)
        return hashlib.blake2b(values.encode(), digest_size=8).hexdigest()

    @property
    def intact(self) -> bool:
        """Whether the row is as it was written."""
        return self.check == self.digest()


@event.listens_for(Checked, "before_insert", propagate=True)
@event.listens_for(Checked, "before_update", propagate=True)
def _sign(mapper: Mapper[Any], connection: Any, row: Checked) -> None:
    del connection
    for column in mapper.columns:  # defaults are given later, and count
        key = mapper.get_property_by_column(column).key
        if getattr(row, key) is None and column.default is not None and column.default.is_scalar:
            setattr(row, key, column.default.arg)  # type: ignore[attr-defined]
    row.check = row.digest()


def signed(row: Checked) -> dict[str, Any]:
    """Give the values of a row whose every value is set, with their hash, to be inserted with many others."""
    row.check = row.digest()
    return {column.key: getattr(row, column.key) for column in row.__mapper__.column_attrs}  # type: ignore[attr-defined]
