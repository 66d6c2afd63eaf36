"""The page in headless Chromium: with data, without, and with the warehouse gone; wide and narrow."""

import re
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import uvicorn
from playwright.sync_api import Browser, Page, expect, sync_playwright

from cluster.ports import free_port
from serve.gateway import GatewayConfig, create_app
from tests.contract.api.postgres import Postgres
from tests.contract.api.shop import TWO_YEARS, load_shop

CHROMIUM = shutil.which("chromium")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
WIDTHS = (1280, 400)
CHARTS = ("revenue", "products", "countries", "quality")
MARTS = ("trends", "segments", "cohorts", "baskets")

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not on the PATH (make test-services installs it)")


@dataclass
class Visit:
    """A page and what went wrong on it."""

    page: Page
    url: str
    faults: list[str] = field(default_factory=list)
    hosts: set[str] = field(default_factory=set)

    def open(self, path: str = "/") -> None:
        self.page.goto(self.url + path)

    def wait_until_filled(self) -> None:
        expect(self.page.locator("#main")).to_have_attribute("aria-busy", "false", timeout=60_000)


@contextmanager
def _served(warehouse_url: str) -> Iterator[str]:
    port = free_port()
    config = uvicorn.Config(create_app(GatewayConfig(warehouse_url)), port=port, log_level="error")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(30)


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    running = Postgres.create(tmp_path_factory.mktemp("pg"))
    running.start()
    yield running
    running.stop()


@pytest.fixture(scope="module")
def shop(postgres: Postgres) -> Iterator[str]:
    url = postgres.make_database("shop")
    load_shop(url)
    with _served(url) as address:
        yield address


@pytest.fixture(scope="module")
def years(postgres: Postgres) -> Iterator[str]:
    url = postgres.make_database("years")
    load_shop(url, TWO_YEARS)
    with _served(url) as address:
        yield address


@pytest.fixture(scope="module")
def undeployed(postgres: Postgres) -> Iterator[str]:
    url = postgres.make_database("undeployed", deployed=False)
    load_shop(url)
    with _served(url) as address:
        yield address


@pytest.fixture(scope="module")
def nothing(postgres: Postgres) -> Iterator[str]:
    with _served(postgres.make_database("nothing")) as address:
        yield address


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@contextmanager
def _visit(browser: Browser, url: str, width: int) -> Iterator[Visit]:
    context = browser.new_context(viewport={"width": width, "height": 900})
    visit = Visit(context.new_page(), url)
    visit.page.on("console", lambda said: visit.faults.append(said.text) if said.type in {"error", "warning"} else None)
    visit.page.on("pageerror", lambda error: visit.faults.append(str(error)))
    visit.page.on("request", lambda request: visit.hosts.add("/".join(request.url.split("/")[:3])))
    yield visit
    context.close()


def _assert_clean(visit: Visit) -> None:
    assert visit.faults == []
    assert {host for host in visit.hosts if not host.startswith(("data:", "blob:"))} == {visit.url}


def _assert_fits(visit: Visit, tmp_path: Path) -> None:
    visit.page.screenshot(path=tmp_path / "page.png", full_page=True)
    wide = visit.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide == 0, f"the page is {wide} px wider than the window; see {tmp_path / 'page.png'}"


@pytest.mark.parametrize("width", WIDTHS)
def test_the_page_shows_the_figures(browser: Browser, shop: str, width: int, tmp_path: Path) -> None:
    with _visit(browser, shop, width) as visit:
        visit.open()
        visit.wait_until_filled()
        page = visit.page
        expect(page.locator("#publication")).to_contain_text("data version 7")
        expect(page.locator("#totals div", has_text="Net").first).to_contain_text("−£10,901.27")
        for name in CHARTS:
            expect(page.locator(f"#{name}-chart .main-svg").first).to_be_visible()
        expect(page.locator("#products-chart")).to_contain_text("<CAKESTAND> & TR")
        expect(page.locator("#countries-chart")).to_contain_text("EIRE")
        expect(page.locator("#quality-table")).to_contain_text("guest")
        expect(page.locator("#rejected-table")).to_contain_text("zero quantity")
        expect(page.locator("#rejected-table")).to_contain_text("£10.20")
        expect(page.locator("#notice")).to_be_hidden()
        _assert_fits(visit, tmp_path)
        _assert_clean(visit)


@pytest.mark.parametrize("width", WIDTHS)
def test_the_tables_open_and_the_period_changes(browser: Browser, shop: str, width: int, tmp_path: Path) -> None:
    with _visit(browser, shop, width) as visit:
        visit.open()
        visit.wait_until_filled()
        page = visit.page
        for summary in page.locator("summary").all():
            summary.click()
        expect(page.locator("#revenue-table tbody tr")).to_have_count(8)
        page.get_by_role("button", name="Month").click()
        expect(page.locator("#revenue-title")).to_have_text("Revenue by month")
        expect(page.get_by_role("button", name="Month")).to_have_attribute("aria-pressed", "true")
        expect(page.locator("#revenue-table tbody tr")).to_have_count(5)
        expect(page.locator("#products-table tbody tr")).to_have_count(4)
        _assert_fits(visit, tmp_path)
        _assert_clean(visit)


@pytest.mark.parametrize("width", WIDTHS)
def test_the_page_says_so_when_there_is_no_data(browser: Browser, nothing: str, width: int, tmp_path: Path) -> None:
    with _visit(browser, nothing, width) as visit:
        visit.open()
        visit.wait_until_filled()
        expect(visit.page.locator("#publication")).to_have_text("Nothing is published yet.")
        for name in CHARTS:
            expect(visit.page.locator(f"#{name}-chart")).to_contain_text("No data yet")
        for part in ("rejected-table", "trends-chart", "segments-chart", "cohorts-table", "baskets-table"):
            expect(visit.page.locator(f"#{part}")).to_contain_text("No data yet")
        _assert_fits(visit, tmp_path)
        _assert_clean(visit)


@pytest.mark.parametrize("width", WIDTHS)
def test_the_marts_are_shown_with_their_version(browser: Browser, years: str, width: int, tmp_path: Path) -> None:
    with _visit(browser, years, width) as visit:
        visit.open()
        visit.wait_until_filled()
        page = visit.page
        for name in MARTS:
            expect(page.locator(f"#{name}-version")).to_contain_text("Data version 7")
        for name in ("trends", "segments"):
            expect(page.locator(f"#{name}-chart .main-svg").first).to_be_visible()
        march, april, last = (_row(page, "trends", month) for month in ("2011-03", "2011-04", "2012-03 *"))
        assert (march[1], march[4]) == ("£0.00", "−£25.50")
        assert (april[2], april[5]) == ("–", "+139.2\u00a0%")
        assert last[6] == "+125.9\u00a0%"
        assert _row(page, "segments", "Need attention")[1:5] == ["1", "16.7\u00a0%", "£90.45", "25.7\u00a0%"]
        assert page.locator("#baskets-table tbody tr").first.locator("td").all_text_contents()[:3] == [
            "ROSES TEACUP & SAUCER (22699)", "2", "1.88",
        ]  # fmt: skip
        _assert_fits(visit, tmp_path)
        _assert_clean(visit)


def _row(page: Page, section: str, head: str) -> list[str]:
    row = page.locator(f"#{section}-table tbody tr", has=page.get_by_role("rowheader", name=head, exact=True))
    return row.locator("th, td").all_text_contents()


@pytest.mark.parametrize("width", WIDTHS)
def test_the_heat_map_is_a_table_with_readable_colours(browser: Browser, years: str, width: int) -> None:
    with _visit(browser, years, width) as visit:
        visit.open()
        visit.wait_until_filled()
        table = visit.page.get_by_role("table", name="Months since the first purchase")
        assert table.get_by_role("columnheader").all_text_contents() == ["Cohort", "Size", *map(str, range(16))]
        cohorts = ["2010-12", "2011-04", "2011-12", "2012-01", "2012-03"]
        assert table.get_by_role("rowheader").all_text_contents() == cohorts
        assert _row(visit.page, "cohorts", "2011-12") == [
            "2011-12", "1", "100\u00a0%", "0\u00a0%", "0\u00a0%", "0\u00a0% *", "",
        ]  # fmt: skip
        cells = table.locator(".heated").evaluate_all(
            "cells => cells.map(cell => [cell.textContent, getComputedStyle(cell).backgroundColor,"
            " getComputedStyle(cell).color])"
        )
        by_text = {text.removesuffix(" *"): background for text, background, _ in cells}
        red = [int(re.findall(r"\d+", by_text[text])[0]) for text in ("0\u00a0%", "50\u00a0%", "100\u00a0%")]
        assert red == sorted(red, reverse=True) and len(set(red)) == 3
        assert min(_contrast(background, color) for _, background, color in cells) >= 4.5
        visit.page.get_by_role("button", name="Customers", exact=True).click()
        assert _row(visit.page, "cohorts", "2010-12")[:4] == ["2010-12", "2", "2", "1"]
        visit.page.get_by_role("button", name="Revenue", exact=True).click()
        assert _row(visit.page, "cohorts", "2010-12")[:4] == ["2010-12", "2", "£82", "£18"]
        _assert_clean(visit)


def _contrast(one: str, other: str) -> float:
    def luminance(color: str) -> float:
        parts = [int(part) / 255 for part in re.findall(r"\d+", color)[:3]]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_the_heat_map_scrolls_in_its_own_box_by_keyboard(browser: Browser, years: str, tmp_path: Path) -> None:
    with _visit(browser, years, 400) as visit:
        visit.open()
        visit.wait_until_filled()
        page = visit.page
        box = page.get_by_role("region", name="Table of cohorts")
        page.get_by_role("button", name="Revenue", exact=True).focus()
        page.keyboard.press("Tab")
        expect(box).to_be_focused()
        cohort, last = box.get_by_role("rowheader", name="2010-12"), box.get_by_role("columnheader", name="15")
        expect(last).not_to_be_in_viewport()
        for _ in range(40):
            page.keyboard.press("ArrowRight")
        expect(last).to_be_in_viewport()
        expect(cohort).to_be_in_viewport(ratio=1)
        assert page.evaluate("window.scrollX") == 0
        _assert_fits(visit, tmp_path)


@pytest.mark.parametrize("width", WIDTHS)
def test_pairs_are_sorted_by_the_api_and_go_on(browser: Browser, years: str, width: int, tmp_path: Path) -> None:
    with _visit(browser, years, width) as visit:
        page = visit.page
        # A smaller page of the same list, so that there is more to ask for.
        page.route(
            "**/datamart/baskets?*", lambda route: route.continue_(url=route.request.url.replace("limit=20", "limit=4"))
        )
        visit.open()
        visit.wait_until_filled()
        rows, more = page.locator("#baskets-table tbody tr"), page.get_by_role("button", name="More pairs")
        for place, sort in enumerate(("Support", "Leverage", "Lift")):
            page.get_by_role("button", name=sort, exact=True).click()
            expect(page.get_by_role("button", name=sort, exact=True)).to_have_attribute("aria-pressed", "true")
            expect(page.locator("#baskets-table [aria-sort=descending]")).to_have_text(sort)
            expect(rows).to_have_count(4)
            if place == 0:
                more.click()
            wanted = page.request.get(f"{years}/api/v1/datamart/baskets?sort={sort.lower()}").json()["data"]
            shown = wanted if place == 0 else wanted[:4]
            expect(rows).to_have_count(len(shown))
            expect(more).to_be_visible(visible=place > 0)
            firsts = [f"{row['description_a'] or '–'} ({row['code_a']})" for row in shown]
            assert rows.locator("th").all_text_contents() == firsts
        assert len(wanted) > 4
        _assert_fits(visit, tmp_path)
        _assert_clean(visit)


def test_the_page_says_so_when_the_marts_are_missing(browser: Browser, undeployed: str, tmp_path: Path) -> None:
    with _visit(browser, undeployed, 400) as visit:
        visit.open()
        visit.wait_until_filled()
        expect(visit.page.locator("#notice")).to_contain_text("retail run")
        for part in ("trends-chart", "segments-chart", "cohorts-table", "products-chart"):
            expect(visit.page.locator(f"#{part}")).to_contain_text("not deployed. Run any `retail` command")
        expect(visit.page.locator("#countries-chart")).to_contain_text("EIRE")
        expect(visit.page.locator("#baskets-table tbody tr")).to_have_count(1)
        _assert_fits(visit, tmp_path)


def test_the_page_says_so_when_the_warehouse_is_gone(browser: Browser, tmp_path: Path) -> None:
    with _served(f"postgresql://postgres@127.0.0.1:{free_port()}/none") as url, _visit(browser, url, 400) as visit:
        visit.open()
        visit.wait_until_filled()
        expect(visit.page.locator("#notice")).to_contain_text("The warehouse does not answer")
        _assert_fits(visit, tmp_path)


def test_the_documentation_draws_without_an_outside_host(browser: Browser, shop: str) -> None:
    with _visit(browser, shop, 1280) as visit:
        visit.open("/docs")
        expect(visit.page.locator(".opblock").first).to_be_visible(timeout=60_000)
        _assert_clean(visit)


def test_amounts_are_written_from_their_digits(browser: Browser, shop: str) -> None:
    cases = {
        "0.0000": "£0.00",
        "0.0050": "£0.01",
        "-0.0049": "£0.00",
        "-0.0050": "−£0.01",
        "999.9950": "£1,000.00",
        "-1234567.8900": "−£1,234,567.89",
        "90071992547409931234.5600": "£90,071,992,547,409,931,234.56",
    }
    with _visit(browser, shop, 1280) as visit:
        visit.open()
        script = """async (amounts) => {
            const { money } = await import("/assets/format.js");
            return amounts.map((amount) => money({ amount, currency: "GBP" }));
        }"""
        assert visit.page.evaluate(script, list(cases)) == list(cases.values())
