"""The identity of a sales line and the encoding under it, byte by byte as docs/identity.md says; knows no file.

Every engine that is to agree with this one reproduces these bytes.
"""

from collections.abc import Sequence
from hashlib import blake2b

import numpy as np
import polars as pl

IDENTITY_VERSION = b"\x01"
TYPED = b"T"
RAW = b"R"
HASH_BYTES = 16

TYPED_FIELDS = (
    "invoice_no",
    "stock_code",
    "description",
    "quantity",
    "unit_price",
    "invoice_ts",
    "customer_id",
    "country",
    "discount_amount",
)
"""The business values that make a line, in the order in which they are hashed."""

NULL = "~"


def text_of(values: pl.Series) -> pl.Series:
    """Give the canonical text of each value.

    Args:
        values: Text, whole numbers, decimals, dates, times, booleans, bytes or lists of text.

    Returns:
        Text: whole numbers in decimal, decimals with all digits of their scale, times as `YYYY-MM-DD HH:MM:SS`, days as
        `YYYY-MM-DD`, booleans as `true` or `false`, bytes in lower-case hex, lists as the fields of their items.
    """
    kind = values.dtype
    if isinstance(kind, pl.Datetime):
        return values.dt.to_string("%Y-%m-%d %H:%M:%S")
    if kind == pl.Date:
        return values.dt.to_string("%Y-%m-%d")
    if kind == pl.Binary:
        return values.bin.encode("hex")
    if isinstance(kind, pl.List):
        item = pl.element()
        fields = item.str.len_bytes().cast(pl.String) + ":" + item
        return values.to_frame("v").select(pl.col("v").list.eval(fields).list.join("")).to_series()
    return values if kind == pl.String else values.cast(pl.String)


def field_of(values: pl.Series) -> pl.Series:
    """Give each value as a field: length of its UTF-8 in bytes, colon, text; a null is `~`.

    Args:
        values: Any type that `text_of` takes.

    Returns:
        Text, never null.
    """
    text = text_of(values)
    return (text.str.len_bytes().cast(pl.String) + ":" + text).fill_null(NULL)


def hash_fields(fields: Sequence[pl.Series], head: bytes) -> pl.Series:
    """Hash rows of fields with blake2b-128.

    Args:
        fields: Columns of equal length, made by `field_of`, in the order in which they are hashed.
        head: Bytes in front of each row.

    Returns:
        16 bytes per row.
    """
    named = [field.alias(str(place)) for place, field in enumerate(fields)]
    rows = pl.DataFrame(named).select(pl.concat_str(pl.all()).cast(pl.Binary)).to_series().to_list()
    prefix = blake2b(head, digest_size=HASH_BYTES)
    digests = []
    for row in rows:
        state = prefix.copy()
        state.update(row)
        digests.append(state.digest())
    return pl.Series("hash", digests, dtype=pl.Binary)


def line_ids(line_hash: pl.Series, occurrence: pl.Series) -> pl.Series:
    """Make a line's id from the hash of its content and the n-th occurrence of that content in its file.

    Args:
        line_hash: 16 bytes per line.
        occurrence: 1, 2, …

    Returns:
        16 bytes: the hash, n − 1 added to its lower 64 bits (big-endian, modulo 2^64).
    """
    halves = _halves(line_hash)
    halves[:, 1] += (occurrence.to_numpy() - 1).astype(np.uint64)
    return _join(halves)


def sale_keys(line_id: pl.Series) -> pl.Series:
    """Make the fact's key: the lower 63 bits of the line's id.

    Args:
        line_id: 16 bytes per line.

    Returns:
        Whole numbers from 0 to 2^63 − 1.
    """
    return pl.Series("sale_key", (_halves(line_id)[:, 1] & np.uint64(2**63 - 1)).astype(np.int64))


def hash_total(hashes: pl.Series) -> int:
    """Add 128-bit hashes modulo 2^128: the hash of a set of rows, whatever their order.

    Args:
        hashes: 16 bytes per row.

    Returns:
        The sum.
    """
    words = np.frombuffer(b"".join(hashes.to_list()), dtype=">u4").reshape(-1, 4)
    sums = words.sum(axis=0, dtype=np.uint64)
    return sum(int(total) << shift for total, shift in zip(sums, (96, 64, 32, 0), strict=True)) % 2**128


def _halves(values: pl.Series) -> np.ndarray:
    return np.frombuffer(b"".join(values.to_list()), dtype=">u8").reshape(-1, 2).astype(np.uint64)


def _join(halves: np.ndarray) -> pl.Series:
    data = halves.astype(">u8").tobytes()
    return pl.Series("line_id", [data[at : at + 16] for at in range(0, len(data), 16)], dtype=pl.Binary)
