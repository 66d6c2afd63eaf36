"""What every PostgreSQL must do as the home of the marts: one suite, run on the embedded server and on a real one.

A subclass gives the fixture `url`, of class scope: an empty database. Its tests go on where the last one ended.
"""

import json
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from time import monotonic
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import create_engine

from cluster import warehouse
from cluster.errors import ConfigurationError, PlatformError
from cluster.settings import Settings
from cluster.warehouse import connect, migrate
from pipelines.marts.dbt import environment, find_dbt, run_dbt
from pipelines.marts.deploy import PROJECT, Deployment, deploy_marts
from pipelines.marts.exchange import put_in_place
from tests.contract.warehouse.suite import ask, publish_lake
from tests.flow.shop_lake import Platform, line, write
from warehouse_sql.migrations.dependants import drop_dependants

FIRST = [
    line(at="2011-01-10 10:00:00", customer="1"),
    line(invoice="2", at="2011-03-10 10:00:00", customer="1", price="1.005"),
    line(invoice="3", at="2011-03-11 10:00:00", customer="", country="France"),
    line(invoice="C4", at="2011-03-12 10:00:00", quantity="-2", customer="2", country="France"),
]
SECOND = [line(invoice="5", at="2011-03-20 10:00:00", customer="2", code="B2", country="France")]
MONTHS = """SELECT
    date_trunc('month', daily.sales_date::timestamp)::date AS month,
    sum(daily.daily_revenue) AS revenue
FROM {{ ref('mv_daily_sales_summary') }} AS daily
GROUP BY date_trunc('month', daily.sales_date::timestamp)
"""
"""A mart that reads another one; the project itself has none."""
MONTHS_YML = """models:
  - name: mv_months
    config: {indexes: [{columns: [month], unique: true}]}
"""
OURS = {
    *("marts.mv_country_revenue", "marts.mv_customer_cohorts", "marts.mv_customer_rfm", "marts.mv_returns"),
    *("marts.mv_daily_sales_summary", "marts.mv_product_revenue", "seeds.rfm_segments"),
}
FACTS_AND_MARTS = """SELECT
    (SELECT coalesce(sum(total_amount) FILTER (WHERE is_sale), 0) FROM gold.fact_sales),
    (SELECT coalesce(sum(daily_revenue), 0) FROM marts.mv_daily_sales_summary),
    (SELECT coalesce(sum(sales_revenue), 0) FROM marts.mv_country_revenue),
    (SELECT coalesce(sum(revenue), 0) FROM marts.mv_months)"""


def relations(url: str) -> dict[str, int]:
    """Give each mart and seed with its object id: one that is made again has another."""
    rows = ask(
        url,
        """SELECT relnamespace::regnamespace || '.' || relname, oid::bigint FROM pg_class
           WHERE relnamespace::regnamespace::text ~ '^(marts|seeds)' AND relkind IN ('m', 'r')""",
    )
    return dict(rows)


def assert_complete(url: str, names: set[str]) -> None:
    """Every mart has its unique index and is read by the role for BI tools; nothing else is left over."""
    assert relations(url).keys() == names
    indexed = ask(
        url,
        """SELECT DISTINCT schemaname || '.' || tablename FROM pg_indexes
           WHERE schemaname = 'marts' AND indexdef LIKE 'CREATE UNIQUE INDEX%'""",
    )
    assert {name for (name,) in indexed} == {name for name in names if name.startswith("marts.")}
    granted = """SELECT has_table_privilege('retail_bi', %s, 'SELECT'), has_table_privilege('retail_bi', %s, 'DELETE'),
                        has_schema_privilege('retail_bi', %s, 'USAGE')"""
    with connect(url) as connection:
        for name in names:
            privileges = connection.execute(granted, (name, name, name.partition(".")[0])).fetchall()
            assert privileges == [(True, False, True)], name
        described = connection.execute("SELECT obj_description('marts.mv_returns'::regclass)").fetchall()
        assert described == [("Returned units and their money by month, country of the line and product.",)]
    assert ask(url, "SELECT nspname FROM pg_namespace WHERE nspname LIKE '%\\_next\\_%'") == []


def content(url: str) -> dict[str, list[tuple[Any, ...]]]:
    return {name: sorted(ask(url, f"SELECT t::text FROM {name} AS t")) for name in OURS}


def deployments(url: str) -> int:
    return int(ask(url, "SELECT count(*) FROM ops.mart_deployments")[0][0])


def edit(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def wait_until(holds: Callable[[], bool]) -> None:
    """Ask the server again and again; each question is a round trip."""
    until = monotonic() + 60
    while not holds():
        assert monotonic() < until


class MartSuite:
    """The suite; it needs `ray_local` for the lake that it publishes."""

    @pytest.fixture(scope="class")
    def platform(self, tmp_path_factory: pytest.TempPathFactory, ray_local: object) -> Platform:
        folder = tmp_path_factory.mktemp("marts")
        platform = Platform(folder / "home")
        platform.run(write(folder / "1.csv", FIRST))
        return platform

    @pytest.fixture(scope="class")
    def settings(self, platform: Platform) -> Settings:
        return platform.read_settings()

    @pytest.fixture(scope="class")
    def project(self, tmp_path_factory: pytest.TempPathFactory) -> Path:
        """The project with one mart more."""
        project = tmp_path_factory.mktemp("project") / "dbt"
        shutil.copytree(PROJECT, project)
        (project / "models" / "marts" / "mv_months.sql").write_text(MONTHS)
        (project / "models" / "marts" / "months.yml").write_text(MONTHS_YML)
        return project

    @pytest.fixture(scope="class")
    def first(self, url: str, platform: Platform, settings: Settings, project: Path) -> Deployment:
        """The first deployment, on data that is published before there are marts."""
        migrate(url)
        assert not any("marts" in message for message in publish_lake(platform, url).messages)
        return deploy_marts(settings, url, project=project)

    def test_the_first_deployment_makes_everything(self, url: str, first: Deployment) -> None:
        assert set(first.built) == {*OURS, "marts.mv_months"}
        assert first.removed == ()
        assert_complete(url, set(first.built))
        assert deployments(url) == 1
        assert ask(url, FACTS_AND_MARTS) == [(ask(url, FACTS_AND_MARTS)[0][0],) * 4]

    def test_the_record_holds_no_address_and_no_path(self, url: str, first: Deployment, settings: Settings) -> None:
        manifest = ask(url, "SELECT manifest FROM ops.mart_deployments")[0][0]
        text = json.dumps(manifest)
        address = conninfo_to_dict(url)
        for secret in (address["host"], f":{address['port']}", address["password"], str(settings.home), "_next_"):
            assert str(secret) not in text
        assert manifest["nodes"]["model.retail.mv_returns"]["relation_name"].endswith('."marts"."mv_returns"')

    def test_without_a_change_dbt_is_not_even_looked_for(
        self, url: str, first: Deployment, settings: Settings, project: Path, tmp_path: Path
    ) -> None:
        without = settings.model_copy(update={"dbt": tmp_path / "dbt"})
        assert deploy_marts(without, url, project=project) == Deployment()
        assert deployments(url) == 1
        (project / "target").mkdir()
        (project / "target" / "manifest.json").write_text("{}")  # dbt's own output is no change
        assert deploy_marts(without, url, project=project) == Deployment()
        with pytest.raises(ConfigurationError, match="without dbt") as caught:
            deploy_marts(without, url)
        assert "make install" in caught.value.remedy

    def test_readers_see_marts_and_facts_of_one_version_and_are_not_blocked_by_publish(
        self, url: str, first: Deployment, platform: Platform, tmp_path: Path
    ) -> None:
        platform.run(write(tmp_path / "2.csv", SECOND))
        [(old, *_)] = ask(url, FACTS_AND_MARTS)
        with connect(url) as repeatable, connect(url) as gate, ThreadPoolExecutor(1) as threads:
            repeatable.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            assert repeatable.execute(FACTS_AND_MARTS).fetchall() == [(old,) * 4]
            gate.execute("LOCK TABLE ops.publications IN SHARE MODE")  # publish records itself last
            publishing = threads.submit(publish_lake, platform, url)
            try:
                waiting = "SELECT FROM pg_locks WHERE NOT granted AND relation = 'ops.publications'::regclass"
                wait_until(lambda: bool(ask(url, waiting)) or publishing.done())
                held = ask(url, "SELECT mode FROM pg_locks WHERE relation = 'marts.mv_months'::regclass AND granted")
                assert ("ExclusiveLock",) in held  # it is refreshed, and not committed
                with connect(url, options="-c statement_timeout=5s") as plain:
                    assert plain.execute(FACTS_AND_MARTS).fetchall() == [(old,) * 4]
            finally:
                gate.rollback()
            result = publishing.result(60)
            [(new, *_)] = ask(url, FACTS_AND_MARTS)
            assert new > old
            assert ask(url, FACTS_AND_MARTS) == [(new,) * 4]
            assert repeatable.execute(FACTS_AND_MARTS).fetchall() == [(old,) * 4]
        cost = result.messages[-1]
        assert cost.startswith("publish: marts refreshed in ")
        assert "% of the publication" in cost
        assert cost.index("mv_daily_sales_summary") < cost.index("mv_months")

    def test_what_did_not_change_is_not_refreshed(
        self, url: str, first: Deployment, platform: Platform, tmp_path: Path
    ) -> None:
        platform.run(write(tmp_path / "3.csv", SECOND))  # the same line again
        assert not any("marts" in message for message in publish_lake(platform, url).messages)

    def test_an_edited_mart_is_renewed_with_what_reads_it_and_no_reader_notices_how(
        self, url: str, first: Deployment, settings: Settings, project: Path
    ) -> None:
        before, [(old, *_)] = relations(url), ask(url, FACTS_AND_MARTS)
        with connect(url) as connection:  # as a deployment leaves it that was killed
            connection.execute("CREATE SCHEMA marts_next_0123abcd")
            connection.execute("CREATE MATERIALIZED VIEW marts_next_0123abcd.mv AS SELECT 1 AS one")
        edit(
            project / "models" / "marts" / "mv_daily_sales_summary.sql",
            "coalesce(sum(by_invoice.revenue), 0) AS daily_revenue",
            "2 * coalesce(sum(by_invoice.revenue), 0) AS daily_revenue",
        )
        of_sales = 'sum(total_amount) filter (where is_sale)"'
        edit(project / "models" / "marts" / "marts.yml", f'of: "{of_sales}', f'of: "2 * {of_sales}')
        done = Event()

        def read() -> set[tuple[Any, ...]]:
            seen = set()
            with connect(url, autocommit=True) as reader:
                while not done.is_set():
                    seen.update(reader.execute(FACTS_AND_MARTS).fetchall())
            return seen

        with ThreadPoolExecutor(1) as threads, connect(url) as repeatable:
            repeatable.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            repeatable.execute("SELECT")  # its snapshot is older than the new marts
            reading = threads.submit(read)
            try:
                deployment = deploy_marts(settings, url, project=project)
            finally:
                done.set()
            assert reading.result(60) <= {(old, old, old, old), (old, 2 * old, old, 2 * old)}
            assert repeatable.execute(FACTS_AND_MARTS).fetchall() == [(old, 2 * old, old, 2 * old)]
        assert set(deployment.built) == {"marts.mv_daily_sales_summary", "marts.mv_months"}
        after = relations(url)
        assert {name for name, oid in after.items() if before[name] != oid} == set(deployment.built)
        assert ask(url, FACTS_AND_MARTS) == [(old, 2 * old, old, 2 * old)]
        assert_complete(url, {*OURS, "marts.mv_months"})
        assert deployments(url) == 2

    def test_a_mart_that_loses_rows_is_not_deployed(
        self, url: str, first: Deployment, settings: Settings, project: Path
    ) -> None:
        mart, before = project / "models" / "marts" / "mv_returns.sql", relations(url)
        edit(mart, "WHERE fact.is_return", "WHERE fact.is_return AND fact.quantity < -2")
        with pytest.raises(PlatformError, match="test adds_up_mv_returns"):
            deploy_marts(settings, url, project=project)
        assert relations(url) == before
        edit(mart, "WHERE fact.is_return AND fact.quantity < -2", "WHERE fact.is_return")

    def test_a_failing_test_leaves_the_marts_as_they_were(
        self, url: str, first: Deployment, settings: Settings, project: Path
    ) -> None:
        seed, before = project / "seeds" / "rfm_segments.csv", relations(url)
        edit(seed, "5,5,Champions", "5,4,Champions")
        with pytest.raises(PlatformError) as caught:
            deploy_marts(settings, url, project=project)
        assert "test grain_rfm_segments" in caught.value.where
        assert str(settings.home / "logs" / "dbt" / "dbt.log") in caught.value.remedy
        assert (settings.home / "logs" / "dbt" / "dbt.log").is_file()
        assert relations(url) == before
        assert deployments(url) == 2
        edit(
            seed,
            "5,4,Champions,Buys often and bought very lately\n5,4",
            "5,4,Champions,Buys often and bought very lately\n5,5",
        )

    def test_a_migration_drops_what_reads_the_table_and_the_next_command_deploys_it(
        self, url: str, first: Deployment, settings: Settings, project: Path
    ) -> None:
        before, change = relations(url), "ALTER TABLE gold.fact_sales ALTER COLUMN total_amount TYPE numeric(16, 4)"
        rows = content(url)
        engine = create_engine("postgresql+psycopg://", creator=lambda: connect(url))
        with pytest.raises(psycopg.errors.FeatureNotSupported), connect(url) as connection:
            connection.execute(change)
        with engine.begin() as connection_of_migration:
            dropped = drop_dependants(connection_of_migration, "gold.fact_sales")
            connection_of_migration.exec_driver_sql(change)
        engine.dispose()
        assert dropped[0] == "marts.mv_months"  # nothing reads it
        assert {*dropped, "seeds.rfm_segments"} == before.keys()
        assert relations(url).keys() == {"seeds.rfm_segments"}
        done = deploy_marts(settings, url)  # the project itself, which has no mv_months
        assert set(done.built) == OURS
        assert done.removed == ("marts.mv_months",)
        assert_complete(url, OURS)
        doubled = "marts.mv_daily_sales_summary"
        after = content(url)
        assert {name for name in OURS if after[name] != rows[name]} == {doubled}
        assert ask(url, "SELECT sum(daily_revenue) FROM marts.mv_daily_sales_summary") == ask(
            url, "SELECT sum(total_amount) FROM gold.fact_sales WHERE is_sale"
        )

    def test_freshness_is_that_of_the_last_publication(
        self, url: str, first: Deployment, settings: Settings, tmp_path: Path
    ) -> None:
        with connect(url) as connection:
            connection.execute("UPDATE ops.publications SET published_at = published_at - interval '3 days'")
            environ = environment(connection, url, "")
        command = [str(find_dbt(settings)), "source", "freshness"]
        run_dbt(command, PROJECT, tmp_path, tmp_path, environ)
        results = json.loads((tmp_path / "sources.json").read_text())["results"]
        assert len(results) == 7
        assert {result["status"] for result in results} == {"warn"}

    def test_what_others_made_upon_a_mart_is_never_dropped(self, url: str, first: Deployment, beside: str) -> None:
        before = relations(url)
        with connect(url, autocommit=True) as connection:
            connection.execute("CREATE VIEW gold.of_bi AS SELECT * FROM marts.mv_returns")
            with pytest.raises(psycopg.errors.DependentObjectsStillExist, match="mv_returns"):
                put_in_place(connection, beside, [], {"project_hash": "", "manifest": "{}"})
            connection.execute("DROP VIEW gold.of_bi")
        assert relations(url) == before

    def test_a_deployment_gives_way_to_a_reader_who_stays(
        self, url: str, first: Deployment, beside: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(warehouse, "LOCK_ATTEMPTS", 2)
        recorded = deployments(url)
        with connect(url) as reader, connect(url, autocommit=True) as connection:
            reader.execute("SELECT * FROM marts.mv_returns")
            with pytest.raises(psycopg.errors.LockNotAvailable):
                put_in_place(connection, beside, [], {"project_hash": "x", "manifest": "{}"})
            assert deployments(url) == recorded
            reader.rollback()
            assert put_in_place(connection, beside, [], {"project_hash": "x", "manifest": "{}"}) == [
                ("marts", "mv_returns")
            ]
        assert ask(url, "SELECT * FROM marts.mv_returns") == [(1,)]
        assert deployments(url) == recorded + 1

    @pytest.fixture
    def beside(self, url: str) -> Iterator[str]:
        """The ending of a schema in which another mv_returns was built."""
        with connect(url, autocommit=True) as connection:
            connection.execute("CREATE SCHEMA marts_next_0000ffff")
            connection.execute("CREATE MATERIALIZED VIEW marts_next_0000ffff.mv_returns AS SELECT 1 AS one")
            yield "_next_0000ffff"
            connection.execute("DROP SCHEMA marts_next_0000ffff CASCADE")

    def test_every_form_of_the_url_reaches_dbt(self, url: str) -> None:
        address = conninfo_to_dict(url)
        words = " ".join(f"{name}='{quoted(str(value))}'" for name, value in address.items())
        for form in (url, words + " sslmode=prefer options='-c work_mem=9MB'"):
            with connect(form) as connection:
                environ = environment(connection, form, "_next_1")
            assert environ["RETAIL_DBT_HOST"] == address["host"]
            assert environ["RETAIL_DBT_PORT"] == str(address["port"])
            assert environ["RETAIL_DBT_USER"] == address["user"]
            assert environ["RETAIL_DBT_DATABASE"] == address["dbname"]
            assert environ["DBT_ENV_SECRET_WAREHOUSE_PASSWORD"] == address["password"]
            assert environ["RETAIL_DBT_SCHEMA_SUFFIX"] == "_next_1"
        assert environ["PGSSLMODE"] == "prefer"
        assert environ["PGOPTIONS"] == "-c work_mem=9MB"


def quoted(value: str) -> str:
    return value.replace("\\", "\\\\").replace("'", "\\'")
