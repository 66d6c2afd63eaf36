from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.errors import ConfigurationError, DataError
from pipelines.sources.columns import fold, load_aliases, map_columns
from warehouse_sql.tables.bronze import BRONZE_COLUMNS, REQUIRED_SOURCE_COLUMNS, SOURCE_COLUMNS

FIRST = ["InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country"]
SECOND = ["Invoice", "StockCode", "Description", "Quantity", "InvoiceDate", "Price", "Customer ID", "Country"]


def mapped(header: list[str], aliases: Path | None = None) -> list[str]:
    return map_columns(header, load_aliases(aliases), "x.csv")


def toml(tmp_path: Path, text: str) -> Path:
    (tmp_path / "columns.toml").write_text(text, encoding="utf-8")
    return tmp_path / "columns.toml"


@pytest.mark.parametrize(
    "header",
    [
        FIRST,
        SECOND,
        list(REQUIRED_SOURCE_COLUMNS),
        [name.upper() for name in SECOND],
        [f" {name.lower()} " for name in FIRST],
        ["Invoice No.", "stock-code", "DESCRIPTION:", "quantity ", "Invoice_Date", "Unit Price", "customer id",
         "country"],
        ["Invoice\u00a0No", "Stock Code", "Description", "Quantity", "Invoice Date", "unit.price", "Customer-ID",
         "Country"],
    ],
)  # fmt: skip
def test_both_editions_and_snake_case_are_known_in_any_case_with_any_punctuation(header: list[str]) -> None:
    assert mapped(header) == list(REQUIRED_SOURCE_COLUMNS)


def test_columns_may_stand_in_any_order_and_the_discount_is_optional() -> None:
    assert mapped([*FIRST[::-1], "Discount"]) == [*REQUIRED_SOURCE_COLUMNS[::-1], "discount_amount"]


def test_more_spellings_come_from_a_file(tmp_path: Path) -> None:
    path = toml(tmp_path, '[columns]\ncountry = ["Land"]\nunit_price = ["Preis (€)", "Stückpreis"]\n')
    header = [*SECOND[:5], "STÜCKPREIS", SECOND[6], "land"]
    assert mapped(header, path) == list(REQUIRED_SOURCE_COLUMNS)
    assert mapped(FIRST, path) == list(REQUIRED_SOURCE_COLUMNS)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ('[columns]\ncolour = ["Farbe"]', "unknown column 'colour'"),
        ('[columns]\ncountry = ["Quantity"]', "stands for two columns"),
        ('[columns]\ncountry = ["Land"]\nquantity = ["LAND"]', "stands for two columns"),
        ('[columns]\ncountry = "Land"', "wrong form"),
        ("[columns]\ncountry = [7]", "wrong form"),
        ('[columns]\ncountry = ["--"]', "wrong form"),
        ('columns = ["Land"]', "wrong form"),
        ('columns = "Land"', "wrong form"),
        ("[columns", "cannot be read"),
    ],
)
def test_a_wrong_alias_file_is_named_with_the_remedy(tmp_path: Path, text: str, what: str) -> None:
    path = toml(tmp_path, text)
    with pytest.raises(ConfigurationError, match=what) as caught:
        load_aliases(path)
    assert caught.value.where == str(path)
    assert caught.value.remedy


@pytest.mark.parametrize("data", [None, b'[columns]\ncountry = ["\xff"]'])
def test_an_alias_file_that_is_missing_or_no_text_is_named(tmp_path: Path, data: bytes | None) -> None:
    path = tmp_path / "columns.toml"
    if data:
        path.write_bytes(data)
    with pytest.raises(ConfigurationError, match="cannot be read") as caught:
        load_aliases(path)
    assert "RETAIL_COLUMN_ALIASES" in caught.value.remedy


def refusal(header: list[str]) -> DataError:
    with pytest.raises(DataError) as caught:
        mapped(header)
    assert caught.value.where == "x.csv"
    return caught.value


def test_missing_columns_are_all_named_with_a_suggestion_that_can_be_pasted(tmp_path: Path) -> None:
    error = refusal([*FIRST[:5], "Unit Prize", *FIRST[6:7]])
    assert error.what == "Required columns are missing: unit_price, country"
    assert "'Unit Prize'" in error.why
    pasted = error.remedy[error.remedy.index("[columns]") :].replace("] unit", "]\nunit")
    with pytest.raises(DataError, match="missing: country"):
        mapped([*FIRST[:5], "Unit Prize", *FIRST[6:7]], toml(tmp_path, pasted))


def test_a_column_that_is_known_already_is_never_suggested() -> None:
    error = refusal(["Number", *FIRST[1:]])
    assert error.what.endswith("invoice_no")
    assert "InvoiceDate" not in error.remedy
    assert 'invoice_no = ["NAME IN THE FILE"]' in error.remedy


@pytest.mark.parametrize(("separator", "hint"), [(";", "';'"), ("\t", "'\\t'"), ("|", "'|'")])
def test_another_separator_is_guessed(separator: str, hint: str) -> None:
    assert f"looks like {hint}" in refusal([separator.join(FIRST)]).why
    assert "separator" not in refusal(FIRST[:2]).why


@pytest.mark.parametrize("twin", ["Invoice", "invoice_no", "INVOICE NO"])
def test_two_columns_that_mean_the_same_are_refused(twin: str) -> None:
    error = refusal([*FIRST, twin])
    assert error.what == "Two columns are invoice_no"
    assert error.why == f"'InvoiceNo' and {twin!r}"


@pytest.mark.parametrize(
    ("cell", "name"),
    [
        ("Sales Channel", "sales_channel"),
        (" Größe (cm) ", "grösse_cm"),
        ("Batch ID", "source_batch_id"),
        ("row_number", "source_row_number"),
        ("FILE NAME", "source_file_name"),
        ("", "column_9"),
        ("--", "column_9"),
        ("2011", "2011"),
    ],
)
def test_other_columns_keep_their_name_and_none_is_taken_for_ours(cell: str, name: str) -> None:
    assert mapped([*FIRST, cell]) == [*REQUIRED_SOURCE_COLUMNS, name]


def test_other_columns_that_fold_to_one_name_are_told_apart() -> None:
    assert mapped(["x_2", *FIRST, "X", "x ", "", ""])[-4:] == ["x", "x_3", "column_12", "column_13"]


@given(st.lists(st.text(max_size=12), max_size=6))
def test_names_are_distinct_whatever_their_case_and_never_those_of_metadata(extra: list[str]) -> None:
    try:
        names = mapped([*extra, *FIRST])
    except DataError:
        assert {fold(cell) for cell in extra} & set(load_aliases(None))
        return
    assert len({name.casefold() for name in names}) == len(names) == len(extra) + 8
    assert not set(names) & set(BRONZE_COLUMNS)
    assert set(names) & set(SOURCE_COLUMNS) >= set(REQUIRED_SOURCE_COLUMNS)
