"""Files → bronze → silver → gold on a local Ray: what is conserved, whatever the way the lines arrive."""

import random
from pathlib import Path

import polars as pl
import pytest

from cluster.errors import RetryableError
from cluster.lakehouse import LakeWriter
from tests.flow.shop_lake import HEADER, LAKE_STEPS, Platform, line, shop_days, write
from warehouse_sql.tables.bronze import DEAD_LETTERS, FILES, SALES_LINES
from warehouse_sql.tables.gold import BASKET_PAIRS, CUSTOMER_MONTHLY, DIM_CUSTOMERS, DIM_PRODUCTS, FACT_SALES
from warehouse_sql.tables.silver import MERGED, REJECTED, TRANSACTIONS

pytestmark = pytest.mark.usefixtures("ray_local")


@pytest.fixture
def shop(tmp_path: Path) -> list[Path]:
    return [write(tmp_path / "in" / f"day-{n}.csv", lines) for n, lines in enumerate(shop_days(1))]


def test_running_anything_twice_changes_nothing(tmp_path: Path, shop: list[Path]) -> None:
    platform = Platform(tmp_path / "home")
    first = platform.run(*shop)
    before, hashes = platform.versions(), platform.hashes()
    again = platform.run(*shop)
    assert [result.changed for result in first] == [True] * 5
    assert [result.changed for result in again] == [False] * 5
    assert len(again[0].messages) == len(shop)
    assert "ingested before" in again[0].messages[0]
    assert platform.versions() == before
    assert platform.hashes() == hashes


@pytest.mark.parametrize(("part_bytes", "batch_rows"), [(1, 1), (7 * 80, 7), (1000 * 80, 1000)])
def test_tables_do_not_depend_on_batch_size_or_order_of_rows(tmp_path: Path, part_bytes: int, batch_rows: int) -> None:
    lines = [text for day in shop_days(2, 2, 20) for text in day]
    whole = Platform(tmp_path / "whole")
    whole.run(write(tmp_path / "whole.csv", lines))
    random.Random(3).shuffle(lines)
    cut = Platform(tmp_path / "cut", {"range_bytes": part_bytes, "batch_rows": batch_rows, "bucket_rows": 10})
    results = cut.run(write(tmp_path / "shuffled.csv", lines))
    assert cut.hashes() == whole.hashes()
    if part_bytes == 1:
        assert sum(results[0].nodes["bronze"].values()) == len(lines)


def test_late_file_gives_the_tables_of_a_rebuild(tmp_path: Path, shop: list[Path]) -> None:
    late = Platform(tmp_path / "late")
    late.run(*shop[:2], *shop[3:])
    late.run(shop[2])
    days_backwards = Platform(tmp_path / "backwards")
    for file in reversed(shop):
        days_backwards.run(file)
    rebuilt = Platform(tmp_path / "rebuilt")
    rebuilt.run(*shop)
    assert late.hashes() == rebuilt.hashes() == days_backwards.hashes()
    months = late.lake.history(FACT_SALES)[0]["months"]
    assert set(months) == {"2011-01", "2011-02", "2011-03"}
    assert rebuilt.table(DIM_PRODUCTS).height > 6, "descriptions change, so there are versions"
    assert rebuilt.table(DIM_CUSTOMERS).height > 4


def test_late_line_rebuilds_only_the_months_whose_facts_move(tmp_path: Path) -> None:
    january = line(at="2011-01-10 10:00:00", text="OLD", customer="1")
    march = line(at="2011-03-10 10:00:00", text="NEW", customer="1")
    other = line(at="2011-02-10 10:00:00", code="999", text="STILL", customer="2")
    platform = Platform(tmp_path / "home")
    platform.run(write(tmp_path / "a.csv", [january, march, other]))
    late = platform.run(
        write(tmp_path / "b.csv", [line(invoice="7", at="2010-12-05 10:00:00", text="FIRST", customer="1")])
    )
    assert late[2].messages[0].startswith("gold: 2 of 4 months built")
    products = platform.table(DIM_PRODUCTS).filter(pl.col("stock_code") == "85123A").sort("valid_from")
    assert products["description"].to_list() == ["FIRST", "OLD", "NEW"]


def test_silver_from_bronze_equals_silver_in_one_pass(tmp_path: Path, shop: list[Path]) -> None:
    one_pass = Platform(tmp_path / "one")
    one_pass.run(*shop)
    two_steps = Platform(tmp_path / "two")
    for file in shop:
        two_steps.run(file, carry=False, steps=["bronze"])
    results = two_steps.run(steps=[step for step in LAKE_STEPS if step != "bronze"])
    assert results[0].counts.read == one_pass.table(SALES_LINES).height
    assert two_steps.hashes() == one_pass.hashes()


def test_lines_add_up_and_every_line_is_somewhere(tmp_path: Path, shop: list[Path]) -> None:
    platform = Platform(tmp_path / "home")
    results = platform.run(*shop)
    counts = results[1].counts
    assert counts.read == counts.accepted + counts.rejected + counts.merged == 6 * 26
    assert platform.table(TRANSACTIONS).height == counts.accepted == platform.table(FACT_SALES).height
    assert platform.table(REJECTED).height == counts.rejected > 0
    assert results[1].money.accepted == platform.table(FACT_SALES)["total_amount"].sum()


def test_redelivery_in_another_spelling_adds_nothing(tmp_path: Path, shop: list[Path]) -> None:
    platform = Platform(tmp_path / "home")
    platform.run(*shop)
    before = platform.hashes()
    lines = [
        text.replace("17850", "17850.0").replace("A,THING", "a,THING").replace("2011-01-11 ", "1/11/2011 ")
        for text in shop_days(1)[1]
    ]
    result = platform.run(write(tmp_path / "again.csv", lines))[1]
    assert result.counts.merged == result.counts.read == 26
    assert platform.hashes() == before
    merged = platform.table(MERGED)
    assert merged["kept_row_id"].n_unique() == 26
    assert not merged["possible_split"].any()


def test_delivery_cut_between_equal_lines_is_flagged_or_listed(tmp_path: Path) -> None:
    a, b, c = line(code="A1"), line(code="B1"), line(code="C1")
    lone = line(invoice="900", code="X1")
    platform = Platform(tmp_path / "home")
    platform.run(write(tmp_path / "1.csv", [a, b, lone]))
    result = platform.run(write(tmp_path / "2.csv", [b, c, lone]))[1]
    merged = platform.table(MERGED).sort("invoice_no")
    assert result.counts.merged == 2
    assert merged["possible_split"].to_list() == [True, False]
    assert merged["equal_lines_only"].to_list() == [code == "900" for code in merged["invoice_no"]]
    assert any("cut between two equal lines" in message for message in result.messages)
    assert any("cannot be told" in message for message in result.messages)


def test_same_line_in_two_files_of_one_run_is_kept_once(tmp_path: Path) -> None:
    platform = Platform(tmp_path / "home")
    files = [write(tmp_path / f"{n}.csv", [line(), line(), line(code=f"Z{n}")]) for n in range(2)]
    result = platform.run(*files)[1]
    assert (result.counts.accepted, result.counts.merged) == (4, 2)
    assert sorted(platform.table(TRANSACTIONS)["occurrence"].to_list()) == [1, 1, 1, 2]


def test_a_step_that_dies_between_its_commits_leaves_the_old_version(
    tmp_path: Path, shop: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    platform = Platform(tmp_path / "home")
    platform.run(*shop[:3])
    expected = Platform(tmp_path / "expected")
    expected.run(*shop)
    mains = (FILES, TRANSACTIONS, FACT_SALES, CUSTOMER_MONTHLY, BASKET_PAIRS)
    for table, step in zip(mains, LAKE_STEPS, strict=True):
        before = {name: platform.lake.version(name) for name in mains}
        with monkeypatch.context() as patch:
            patch.setattr(LakeWriter, "commit", dies_at(table, LakeWriter.commit))
            with pytest.raises(RetryableError, match="died"):
                platform.run(*shop[3:], steps=[step])
        assert before == {name: platform.lake.version(name) for name in before}
        platform.run(*shop[3:], steps=[step], carry=False)
    assert platform.hashes() == expected.hashes()
    assert platform.table(SALES_LINES).height == expected.table(SALES_LINES).height
    assert platform.table(FILES).height == len(shop)


def dies_at(table: str, commit):  # type: ignore[no-untyped-def]
    def commit_or_die(self: LakeWriter, name: str, what):  # type: ignore[no-untyped-def]
        if name == table:
            raise RetryableError("died")
        return commit(self, name, what)

    return commit_or_die


def test_bad_files_are_refused_and_the_others_go_through(tmp_path: Path, shop: list[Path]) -> None:
    inbox = tmp_path / "inbox"
    good = write(inbox / "good.csv", shop_days(1)[0])
    write(inbox / "columns.csv", ["1,2"], "InvoiceNo,Land")
    write(inbox / "days.csv", [line(at="25/12/2010 8:26")])
    (inbox / "empty.csv").write_text("")
    (inbox / "sheet.xlsx").write_bytes(b"PK")
    platform = Platform(tmp_path / "home")
    result = platform.run(inbox, tmp_path / "nowhere")[0]
    said = {refusal["where"].rpartition("/")[2]: refusal for refusal in result.refusals}
    assert set(said) == {"columns.csv", "days.csv", "empty.csv", "sheet.xlsx", "nowhere"}
    assert "stock_code" in said["columns.csv"]["what"]
    assert "RETAIL_DATE_ORDER=day_first" in said["days.csv"]["remedy"]
    assert all(refusal["remedy"] for refusal in said.values())
    assert set(platform.table(SALES_LINES)["file_name"]) == {good.name}
    outcomes = dict(platform.table(FILES).select("file_name", "outcome").iter_rows())
    assert outcomes == {"good.csv": "ingested", "columns.csv": "refused", "days.csv": "refused", "empty.csv": "refused"}
    corrected = Platform(tmp_path / "home", {"date_order": "day_first"})
    assert corrected.run(inbox / "days.csv")[1].counts.accepted == 1


def test_batch_of_refused_files_leaves_every_table_as_it_was(tmp_path: Path, shop: list[Path]) -> None:
    platform = Platform(tmp_path / "home")
    platform.run(*shop)
    before, hashes, lines = platform.versions(), platform.hashes(), platform.lake.version(SALES_LINES)
    results = platform.run(write(tmp_path / "bad.csv", ["1"], "a"))
    assert len(results[0].refusals) == 1
    assert platform.versions() == before
    assert platform.hashes() == hashes
    assert platform.lake.version(SALES_LINES) == lines


def test_undecided_dates_follow_the_setting_and_the_run_says_so(tmp_path: Path) -> None:
    file = write(tmp_path / "x.csv", [line(at="2/3/2011 8:26")])
    day_first = Platform(tmp_path / "d", {"date_order": "day_first"})
    messages = day_first.run(file)[0].messages
    assert any("read as day first" in message for message in messages)
    assert str(day_first.table(TRANSACTIONS)["invoice_date"][0]) == "2011-03-02"
    month_first = Platform(tmp_path / "m")
    month_first.run(file)
    assert str(month_first.table(TRANSACTIONS)["invoice_date"][0]) == "2011-02-03"


def test_a_new_column_is_added_and_nothing_dropped(tmp_path: Path) -> None:
    platform = Platform(tmp_path / "home")
    platform.run(write(tmp_path / "1.csv", [line()]))
    wider = HEADER + ",Discount,Sales Channel"
    platform.run(write(tmp_path / "2.csv", [line(invoice="2") + ",1.50, web "], wider))
    lines = platform.table(SALES_LINES).sort("row_number", "file_name")
    assert lines["sales_channel"].to_list() == [None, " web "]
    assert lines["discount_amount"].to_list() == [None, "1.50"]
    facts = platform.table(FACT_SALES).sort("invoice_no")
    assert [str(value) for value in facts["discount_amount"]] == ["1.5000", "None"]


def test_dead_letters_are_kept_with_their_line(tmp_path: Path) -> None:
    platform = Platform(tmp_path / "home")
    result = platform.run(write(tmp_path / "1.csv", [line(), "too,short", line(invoice="2")]))
    assert result[0].counts.read == 2
    dead = platform.table(DEAD_LETTERS)
    assert dead.select("row_number", "reason", "raw_text").row(0) == (3, "too_few_cells", "too,short")
    file = platform.table(FILES).row(0, named=True)
    assert (file["line_count"], file["dead_letter_count"]) == (2, 1)
    notes = platform.lake.history(TRANSACTIONS)[0]
    assert {"rule_id": "too_few_cells", "outcome": "dead_letter", "line_count": 1, "amount": None} in notes[
        "rule_counts"
    ]


def test_a_header_that_csv_cannot_read_refuses_its_file_alone(tmp_path: Path) -> None:
    """A file of the old Mac (lines end with a carriage return) stopped its whole batch once."""
    inbox = tmp_path / "inbox"
    good = write(inbox / "good.csv", [line(), "too,short"])
    (inbox / "mac.csv").write_text("\r".join([HEADER, line()]) + "\r")
    (inbox / "semicolons.csv").write_text(HEADER.replace(",", ";") + "\n")
    (inbox / "wide.csv").write_bytes(("\n".join([HEADER, line()])).encode("utf-16"))
    (inbox / "header.csv").write_text(HEADER + "\n")
    platform = Platform(tmp_path / "home")
    result = platform.run(inbox)[0]
    said = {refusal["where"].rpartition("/")[2]: refusal for refusal in result.refusals}
    assert set(said) == {"mac.csv", "semicolons.csv", "wide.csv"}
    assert "tr '\\r' '\\n'" in said["mac.csv"]["remedy"]
    assert "commas" in said["semicolons.csv"]["remedy"]
    assert "UTF-16" in said["wide.csv"]["remedy"]
    assert set(platform.table(SALES_LINES)["file_name"]) == {good.name}
    assert any("1 lines could not be split" in message for message in result.messages)
    assert "header.csv: a header without lines" in result.messages
