"""Arrow schemas from table classes; knows no particular table."""

from typing import Any

import pyarrow as pa
from sqlalchemy import types
from sqlmodel import SQLModel
from sqlmodel.main import get_column_from_field


def arrow_schema(table: type[SQLModel]) -> pa.Schema:
    """Give the Arrow schema of a table class, columns in the class's order.

    Args:
        table: A class of `warehouse_sql.tables`.

    Returns:
        One field per stored column: Numeric → decimal128, Uuid → binary (16 bytes), DateTime → timestamp (µs).
    """
    return pa.schema([pa.field(name, _arrow_type(kind)) for name, kind in _stored(table).items()])


def stored_columns(table: type[SQLModel]) -> list[str]:
    """Name the columns that rows bring with them, in the class's order: all but those that PostgreSQL generates."""
    return list(_stored(table))


def _stored(table: type[SQLModel]) -> dict[str, types.TypeEngine[Any]]:
    columns = {name: get_column_from_field(field) for name, field in table.model_fields.items()}
    return {name: column.type for name, column in columns.items() if column.computed is None}


def _arrow_type(kind: types.TypeEngine[Any]) -> pa.DataType:  # noqa: PLR0911 - one return per type reads best
    match kind:
        case types.Numeric():
            return pa.decimal128(kind.precision or 38, kind.scale or 0)
        case types.BigInteger():
            return pa.int64()
        case types.SmallInteger():
            return pa.int16()
        case types.Integer():
            return pa.int32()
        case types.Boolean():
            return pa.bool_()
        case types.Date():
            return pa.date32()
        case types.DateTime():
            return pa.timestamp("us", "UTC" if kind.timezone else None)
        case types.Uuid():
            return pa.binary()
        case types.ARRAY():
            return pa.list_(_arrow_type(kind.item_type))
        case types.Text():
            return pa.string()
    raise TypeError(f"No Arrow type for the column type {kind!r}")
