"""What every PostgreSQL must do as a warehouse: one suite, run on the embedded server and on a real one.

A subclass gives the fixture `url`: an empty database of its own.
"""

import itertools
import time
from concurrent.futures import ThreadPoolExecutor
from decimal import ROUND_HALF_UP, Decimal, localcontext
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from deltalake import DeltaTable
from sqlalchemy import create_engine
from sqlmodel import SQLModel

from cluster import warehouse
from cluster.errors import DataError, FatalError, RetryableError
from cluster.lakehouse import LakeWriter
from cluster.lease import Lease
from cluster.storage import Storage
from cluster.warehouse import connect, downgrade, migrate
from pipelines.publish import COMPARED_BY_MONTH, COMPARED_WHOLE, publish
from pipelines.published import warehouse_state
from pipelines.runs import end_run, last_runs, start_run
from pipelines.steps import Report, StepContext, StepResult
from tests.flow.shop_lake import Platform, line, write
from warehouse_sql.tables.arrow import stored_columns
from warehouse_sql.tables.gold import FACT_SALES

runs = itertools.count(1)
OLD = line(at="2011-01-10 10:00:00", text="OLD", customer="1")
NEW = line(invoice="2", at="2011-05-10 10:00:00", text="NEW", customer="1")
OTHER = line(invoice="C3", code="B2", quantity="-2", at="2011-02-10 10:00:00", customer="", country="France")


def publish_lake(platform: Platform, url: str, report: Report = lambda what, done, total: None) -> StepResult:
    settings = platform.read_settings()
    storage = Storage.of(settings)
    with Lease.take(storage, f"publish-{next(runs)}", 600) as lease:
        return publish(StepContext(settings, LakeWriter(storage, lease), report), url)


def ask(url: str, text: str) -> list[tuple[Any, ...]]:
    with connect(url) as connection:
        return connection.execute(text.encode()).fetchall()


def placed_rows(url: str) -> dict[str, set[tuple[Any, ...]]]:
    """Give each row with the place where it stands: a row that is written again moves."""
    tables = (*COMPARED_WHOLE, *COMPARED_BY_MONTH)
    return {table: set(ask(url, f"SELECT ctid::text, tableoid, t::text FROM {table} AS t")) for table in tables}


def assert_holds(url: str, platform: Platform) -> None:
    """Compare every column of every row of gold in the warehouse with the lake."""
    models: dict[str, type[SQLModel]] = {**COMPARED_WHOLE, **COMPARED_BY_MONTH}
    for table, model in models.items():
        columns = stored_columns(model)
        rows = platform.table(table).select(columns).rows()
        wanted = {tuple(UUID(bytes=cell) if isinstance(cell, bytes) else cell for cell in row) for row in rows}
        assert len(wanted) == len(rows)
        held = ask(url, f"SELECT {', '.join(columns)} FROM {table}")
        assert len(held) == len(rows)
        assert set(held) == wanted, table


class WarehouseSuite:
    """The suite; it needs `ray_local` for the lakes that it publishes."""

    @pytest.fixture
    def migrated(self, url: str) -> str:
        migrate(url)
        return url

    @pytest.fixture
    def platform(self, tmp_path: Path, ray_local: object) -> Platform:
        platform = Platform(tmp_path / "home")
        platform.run(write(tmp_path / "1.csv", [OLD, NEW, OTHER]))
        return platform

    def test_migrations_go_up_down_and_up_and_match_the_table_classes(self, url: str) -> None:
        from alembic.autogenerate import compare_metadata
        from alembic.migration import MigrationContext

        import warehouse_sql.tables.ops  # noqa: F401

        migrate(url)
        downgrade(url, "base")
        assert ask(url, "SELECT 1 FROM pg_namespace WHERE nspname IN ('gold', 'ops')") == []
        migrate(url)
        migrate(url)
        engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://", 1))

        def ours(name: str | None, kind: str, parents: object) -> bool:
            if kind == "schema":
                return name in ("gold", "ops")
            return kind != "table" or not (name or "").startswith("fact_sales_")

        with engine.connect() as connection:
            options = {"include_schemas": True, "include_name": ours, "compare_type": True}
            context = MigrationContext.configure(connection, opts=options)
            assert compare_metadata(context, SQLModel.metadata) == []
        engine.dispose()

    def test_migrations_at_once_wait_for_each_other(self, url: str) -> None:
        with ThreadPoolExecutor(4) as threads:
            list(threads.map(migrate, [url] * 4))
        assert ask(url, "SELECT version_num FROM public.alembic_version") == [("0002",)]

    def test_the_role_for_bi_tools_reads_and_no_more(self, migrated: str, platform: Platform) -> None:
        publish_lake(platform, migrated)
        with connect(migrated, autocommit=True) as connection:
            connection.execute("SET ROLE retail_bi")
            assert connection.execute("SELECT count(*) FROM gold.fact_sales").fetchone() == (3,)
            assert connection.execute("SELECT count(*) FROM gold.fact_sales_2011_q1").fetchone() == (2,)
            assert connection.execute("SELECT max(data_version) FROM ops.publications").fetchone() == (1,)
            for refused in ("DELETE FROM gold.fact_sales", "SELECT * FROM ops.runs", "CREATE TABLE gold.x ()"):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    connection.execute(refused.encode())

    def test_first_publication(self, migrated: str, platform: Platform) -> None:
        result = publish_lake(platform, migrated)
        assert (result.counts.accepted, str(result.money.accepted)) == (3, "25.5000")
        [(version, tables, dates, products, customers)] = ask(
            migrated,
            "SELECT data_version, tables, changed_dates, changed_product_keys, changed_customer_keys "
            "FROM ops.publications",
        )
        assert version == 1
        assert_holds(migrated, platform)
        assert tables["gold.fact_sales"] | {"run_id": ""} == {
            "version": 0, "rows": 3, "amount": "25.5000", "changed": 3, "run_id": "",
        }  # fmt: skip
        assert [str(day) for day in dates] == ["2011-01-10", "2011-02-10", "2011-05-10"]
        assert len(products) == 3
        assert -1 in customers
        partitions = ask(
            migrated,
            "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'gold.fact_sales'::regclass ORDER BY 1",
        )
        names = [name for (name,) in partitions]
        assert names == ["gold.fact_sales_2011_q1", "gold.fact_sales_2011_q2", "gold.fact_sales_default"]
        assert ask(migrated, "SELECT count(*) FROM ops.rule_counts WHERE rule_id = 'guest'") == [(1,)]

    def test_what_did_not_change_does_not_move(self, migrated: str, platform: Platform, tmp_path: Path) -> None:
        publish_lake(platform, migrated)
        before = placed_rows(migrated)
        again = publish_lake(platform, migrated)
        assert not again.changed
        assert ask(migrated, "SELECT max(data_version) FROM ops.publications") == [(1,)]
        assert placed_rows(migrated) == before
        platform.run(write(tmp_path / "2.csv", [line(invoice="9", code="B2", at="2011-05-11 10:00:00", customer="")]))
        publish_lake(platform, migrated)
        after = placed_rows(migrated)
        assert len(after["gold.fact_sales"] - before["gold.fact_sales"]) == 1
        assert before["gold.fact_sales"] <= after["gold.fact_sales"]
        assert after["gold.dim_customers"] == before["gold.dim_customers"]
        assert ask(migrated, "SELECT changed_dates::text FROM ops.publications WHERE data_version = 2") == [
            ("{2011-05-11}",)
        ]

    def test_measures_are_worked_out_from_the_counts(self, migrated: str, platform: Platform, tmp_path: Path) -> None:
        """Four baskets: A with B twice, A alone, B with C; so of 4 baskets A is in 3, B in 3, C in 1."""
        baskets = {"11": "AB", "12": "AB", "13": "A", "14": "BC"}
        lines = [line(invoice=no, code=f"10{code}") for no, codes in baskets.items() for code in codes]
        shop = Platform(tmp_path / "baskets")
        shop.run(write(tmp_path / "baskets.csv", lines))
        publish_lake(shop, migrated)
        columns = "code_a, code_b, support, confidence_a_to_b, confidence_b_to_a, lift, leverage"
        with localcontext(prec=40):
            both, one = Decimal(2), Decimal(1)
            wanted = {
                ("10A", "10B"): (both / 4, both / 3, both / 3, both * 4 / 9, (both * 4 - 9) / 16),
                ("10B", "10C"): (one / 4, one / 3, one, one * 4 / 3, (one * 4 - 3) / 16),
            }
            found = {row[:2]: row[2:] for row in ask(migrated, f"SELECT {columns} FROM gold.basket_pairs")}
            digits = Decimal("1E-10")
            assert found == {
                pair: tuple(v.quantize(digits, ROUND_HALF_UP) for v in row) for pair, row in wanted.items()
            }

    def test_a_late_line_moves_the_facts_of_its_product_and_removes_the_version_that_is_gone(
        self, migrated: str, platform: Platform, tmp_path: Path
    ) -> None:
        publish_lake(platform, migrated)
        late = [line(invoice="8", at=f"2011-05-10 11:00:0{second}", text="OLD", customer="2") for second in range(2)]
        platform.run(write(tmp_path / "late.csv", late))
        publish_lake(platform, migrated)
        assert ask(migrated, "SELECT description FROM gold.dim_products WHERE stock_code = '85123A'") == [("OLD",)]
        assert_holds(migrated, platform)

    def test_a_lake_made_anew_is_compared_in_full(self, migrated: str, platform: Platform, tmp_path: Path) -> None:
        publish_lake(platform, migrated)
        anew = Platform(tmp_path / "anew")
        anew.run(write(tmp_path / "anew.csv", [OLD, OTHER]))
        publish_lake(anew, migrated)
        assert_holds(migrated, anew)

    def test_rows_that_differ_are_changed_in_place(self, migrated: str, platform: Platform, tmp_path: Path) -> None:
        publish_lake(platform, migrated)
        anew = Platform(tmp_path / "anew", {"source_system": "till"})
        anew.run(write(tmp_path / "anew.csv", [OLD, NEW, OTHER]))
        publish_lake(anew, migrated)
        assert_holds(migrated, anew)
        changed = "SELECT (tables -> 'gold.fact_sales' ->> 'changed')::int FROM ops.publications WHERE data_version = 2"
        assert ask(migrated, changed) == [(3,)]

    def test_a_published_version_whose_log_is_gone_is_compared_in_full(
        self, migrated: str, platform: Platform, tmp_path: Path
    ) -> None:
        publish_lake(platform, migrated)
        before = placed_rows(migrated)
        platform.run(write(tmp_path / "2.csv", [line(invoice="9", at="2011-05-11 10:00:00")]))
        table = Path(platform.lake.storage.table_uri(FACT_SALES))
        DeltaTable(str(table)).create_checkpoint()
        (table / "_delta_log" / f"{0:020}.json").unlink()
        with connect(migrated) as connection:
            connection.execute("UPDATE gold.fact_sales SET batch_id = 'lost' WHERE date_key = 20110110")
        publish_lake(platform, migrated)
        assert_holds(migrated, platform)
        assert len(placed_rows(migrated)["gold.fact_sales"] - before["gold.fact_sales"]) == 2

    def test_rule_counts_are_of_the_lines_that_are_published(
        self, migrated: str, platform: Platform, tmp_path: Path
    ) -> None:
        def counts(rule: str) -> list[tuple[Any, ...]]:
            return ask(migrated, f"SELECT line_count FROM ops.rule_counts WHERE rule_id = '{rule}'")

        publish_lake(platform, migrated)
        platform.run(write(tmp_path / "2.csv", [line(invoice="8", quantity="0")]))
        assert publish_lake(platform, migrated).changed
        assert (counts("zero_quantity"), counts("guest")) == ([(1,)], [(1,)])
        assert ask(migrated, "SELECT max(data_version) FROM ops.publications") == [(2,)]
        guest = write(tmp_path / "3.csv", [line(invoice="9", customer="")])
        platform.run(guest, steps=("bronze", "silver"))
        assert not publish_lake(platform, migrated).changed
        assert counts("guest") == [(1,)]
        platform.run(steps=("gold",))
        with pytest.raises(DataError, match="not made from the newest facts"):
            publish_lake(platform, migrated)
        platform.run(steps=("customer_monthly", "basket_pairs"))
        publish_lake(platform, migrated)
        assert counts("guest") == [(2,)]
        assert_holds(migrated, platform)

    def test_disagreement_rolls_everything_back(self, migrated: str, platform: Platform, tmp_path: Path) -> None:
        publish_lake(platform, migrated)
        with connect(migrated) as connection:
            connection.execute("UPDATE gold.fact_sales SET total_amount = 0 WHERE invoice_no = '1' OR is_return")
        platform.run(write(tmp_path / "2.csv", [line(invoice="9", at="2011-05-11 10:00:00")]))
        before = placed_rows(migrated)
        with pytest.raises(FatalError, match="do not agree"):
            publish_lake(platform, migrated)
        assert placed_rows(migrated) == before
        assert ask(migrated, "SELECT max(data_version) FROM ops.publications") == [(1,)]

    def test_a_row_outside_its_quarter_stops_the_publication(
        self, migrated: str, platform: Platform, tmp_path: Path
    ) -> None:
        publish_lake(platform, migrated)
        with connect(migrated) as connection:
            connection.execute("ALTER TABLE gold.fact_sales DETACH PARTITION gold.fact_sales_2011_q2")
            connection.execute("INSERT INTO gold.fact_sales_default SELECT * FROM gold.fact_sales_2011_q2")
        platform.run(write(tmp_path / "2.csv", [line(invoice="9", at="2011-01-11 10:00:00")]))
        with pytest.raises(FatalError, match="default partition"):
            publish_lake(platform, migrated)
        state = warehouse_state(migrated)
        assert (state["data_version"], state["line_count"], state["outside_count"]) == (1, 3, 1)

    def test_a_warehouse_that_breaks_off_is_left_as_it_was(
        self, migrated: str, platform: Platform, tmp_path: Path
    ) -> None:
        publish_lake(platform, migrated)
        before = placed_rows(migrated)
        platform.run(write(tmp_path / "2.csv", [line(invoice="9", at="2012-05-11 10:00:00")]))

        def cut(what: str, done: int, total: int) -> None:
            if what == "publish: merge":
                ask(migrated, "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'")

        with pytest.raises(RetryableError, match="broke off") as caught:
            publish_lake(platform, migrated, cut)
        assert migrated not in str(caught.value)
        assert placed_rows(migrated) == before
        publish_lake(platform, migrated)
        assert_holds(migrated, platform)

    def test_readers_see_one_data_version(self, migrated: str, platform: Platform, tmp_path: Path) -> None:
        publish_lake(platform, migrated)
        reader = connect(migrated)
        reader.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        assert reader.execute("SELECT count(*) FROM gold.fact_sales").fetchone() == (3,)
        platform.run(write(tmp_path / "2.csv", [line(invoice="9", at="2011-05-11 10:00:00")]))
        publish_lake(platform, migrated)
        assert reader.execute("SELECT count(*) FROM gold.fact_sales").fetchone() == (3,)
        assert reader.execute("SELECT max(data_version) FROM ops.publications").fetchone() == (1,)
        reader.close()
        assert ask(migrated, "SELECT count(*) FROM gold.fact_sales") == [(4,)]

    def test_a_new_quarter_keeps_no_reader_waiting(self, migrated: str, platform: Platform, tmp_path: Path) -> None:
        publish_lake(platform, migrated)
        platform.run(write(tmp_path / "2.csv", [line(invoice="9", at="2012-08-11 10:00:00")]))
        with connect(migrated) as gate, ThreadPoolExecutor(1) as threads:
            gate.execute("LOCK TABLE ops.publications IN SHARE MODE")  # publish records itself last
            publishing = threads.submit(publish_lake, platform, migrated)
            try:
                waiting = "SELECT FROM pg_locks WHERE NOT granted AND relation = 'ops.publications'::regclass"
                while not (ask(migrated, waiting) or publishing.done()):
                    time.sleep(0.05)
                with connect(migrated, options="-c statement_timeout=5s") as reader:
                    assert reader.execute("SELECT count(*) FROM gold.fact_sales").fetchone() == (3,)
            finally:
                gate.rollback()
            publishing.result(60)
        assert_holds(migrated, platform)

    def test_a_new_quarter_gives_way_to_a_reader_who_stays(
        self, migrated: str, platform: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        publish_lake(platform, migrated)
        platform.run(write(tmp_path / "2.csv", [line(invoice="9", at="2012-08-11 10:00:00")]))
        monkeypatch.setattr(warehouse, "LOCK_ATTEMPTS", 1)
        with connect(migrated, options="-c idle_in_transaction_session_timeout=60s") as reader:
            reader.execute("SELECT count(*) FROM gold.fact_sales")
            with pytest.raises(RetryableError, match="lock timeout"):
                publish_lake(platform, migrated)
        publish_lake(platform, migrated)
        assert_holds(migrated, platform)

    def test_a_text_that_postgresql_cannot_hold_stops_nothing(
        self, migrated: str, platform: Platform, tmp_path: Path
    ) -> None:
        platform.run(write(tmp_path / "nul.csv", [line(invoice="9", code="N1", text="A\0B")]))
        publish_lake(platform, migrated)
        [(shown,)] = ask(migrated, "SELECT description FROM gold.dim_products WHERE stock_code = 'N1'")
        assert shown == "A\N{REPLACEMENT CHARACTER}B"

    def test_nothing_to_publish_says_what_to_do(self, migrated: str, tmp_path: Path) -> None:
        with pytest.raises(DataError, match="nothing to publish") as caught:
            publish_lake(Platform(tmp_path / "empty"), migrated)
        assert "retail run" in caught.value.remedy

    def test_runs_are_recorded_and_dead_ones_closed(self, migrated: str) -> None:
        start_run(migrated, "a", "run")
        start_run(migrated, "b", "ingest")
        end_run(migrated, "b", "succeeded", None, [{"step": "bronze"}])
        newest, dead = last_runs(migrated, 5)
        assert (newest["run_id"], newest["status"], newest["steps"]) == ("b", "succeeded", [{"step": "bronze"}])
        assert (dead["run_id"], dead["status"]) == ("a", "failed")
        assert "ended before" in dead["error"]
