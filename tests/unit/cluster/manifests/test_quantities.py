"""Amounts as Kubernetes writes them."""

from decimal import Decimal

import pytest

from cluster.manifests.quantities import amount


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("500m", "0.5"),
        ("2", "2"),
        (2, "2"),
        ("1.5", "1.5"),
        ("8Gi", "8589934592"),
        ("1536Mi", "1610612736"),
        ("1Ki", "1024"),
        ("2Ti", "2199023255552"),
        ("1k", "1000"),
        ("3G", "3000000000"),
        ("1e3", "1000"),
        ("1E", "1000000000000000000"),
        ("2Pi", "2251799813685248"),
        (".5", "0.5"),
        ("-1", "-1"),
    ],
)
def test_it_is_read_exactly(written: object, value: str) -> None:
    assert amount(written) == Decimal(value)


@pytest.mark.parametrize("written", ["", "x", "8 Gi", "8GB", "Gi", ".", None, "1,5"])
def test_what_is_none_is_refused(written: object) -> None:
    with pytest.raises(ValueError, match="no quantity"):
        amount(written)
