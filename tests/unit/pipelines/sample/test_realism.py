"""What the issue asks of the sample, looked up in its files."""

import gzip
import re
from collections import Counter, defaultdict
from datetime import time

from tests.unit.pipelines.sample.conftest import Made
from tests.unit.pipelines.sample.recount import Line


def good(made: Made) -> list[Line]:
    return [line for line in made.delivered_first if not line.errors]


def test_sales_keep_the_shops_hours(made: Made) -> None:
    stamps = [line.at for line in good(made) if line.at]
    assert {stamp.weekday() for stamp in stamps} == {0, 1, 2, 3, 4, 6}
    assert min(stamp.time() for stamp in stamps) >= time(8)
    assert max(stamp.time() for stamp in stamps) < time(20)


def test_a_quarter_of_the_lines_name_no_customer(made: Made) -> None:
    lines = good(made)
    assert 0.20 < sum(not line.customer for line in lines) / len(lines) < 0.30


def test_every_return_takes_back_an_earlier_sale(made: Made) -> None:
    sold: dict[tuple[object, ...], list[Line]] = defaultdict(list)
    for line in good(made):
        if line.line_type in {"sale", "fee"} and not line.invoice.startswith("C"):
            sold[line.customer, line.country, line.code, line.price, line.description].append(line)
    returns = [line for line in good(made) if line.invoice.startswith("C") and line.line_type == "return"]
    assert len(returns) > 400
    for line in returns:
        sales = sold[line.customer, line.country, line.code, line.price, line.description]
        assert any(s.at and line.at and s.at < line.at and -(line.quantity or 0) <= (s.quantity or 0) for s in sales)


def test_all_invoices_are_one_customer_one_country_one_time(made: Made) -> None:
    invoices = defaultdict(set)
    for line in good(made):
        if line.country not in {"Atlantis", "Lilliput", "Erewhon", "n/a"}:
            invoices[line.invoice].add((line.customer, line.country, line.at))
    assert {len(heads) for heads in invoices.values()} == {1}
    sizes = Counter(line.invoice for line in good(made) if line.line_type == "sale")
    assert 8 < sum(sizes.values()) / len(sizes) < 30
    assert max(sizes.values()) > 60


def test_few_products_and_customers_make_most_of_the_sales(made: Made) -> None:
    for counts in (
        Counter(line.code for line in good(made)),
        Counter(line.customer for line in good(made) if line.customer),
    ):
        sizes = sorted(counts.values(), reverse=True)
        assert sum(sizes[: len(sizes) // 5]) > 0.45 * sum(sizes)
        assert len(sizes) > 200


def test_the_united_kingdom_leads_and_odd_names_occur(made: Made) -> None:
    countries = Counter(line.country for line in good(made))
    assert countries["United Kingdom"] > 0.8 * sum(countries.values())
    assert {"EIRE", "Channel Islands", "Unspecified"} <= countries.keys()


def test_customers_move_and_products_are_renamed_and_contradicted(made: Made) -> None:
    countries, wordings = defaultdict(set), defaultdict(set)
    for line in good(made):
        if line.line_type == "sale" and line.description:
            wordings[line.code].add(line.description)
            countries[line.customer].add(line.country)
    moved = [customer for customer, names in countries.items() if customer and len(names - {"Atlantis"}) > 1]
    assert moved
    assert sum(len(texts) > 1 for texts in wordings.values()) > 100
    assert any("(wrong label)" in text for texts in wordings.values() for text in texts)


def test_every_kind_of_line_and_fee_occurs(made: Made) -> None:
    lines = good(made)
    assert {line.line_type for line in lines} == {"adjustment", "discount", "fee", "write_off", "return", "sale"}
    fees = {line.code for line in lines if line.line_type == "fee"}
    assert fees == {"POST", "DOT", "C2", "M", "BANK CHARGES", "AMAZONFEE", "CRUK", "S"}
    assert {(line.price or 0) < 0 for line in lines if line.line_type == "adjustment"} == {True, False}
    write_offs = [line for line in lines if line.line_type == "write_off" and not line.invoice.startswith("C")]
    assert not any(line.customer for line in write_offs)
    assert {"", "damaged", "?"} <= {line.description for line in write_offs}
    assert all((line.quantity or 0) < 0 for line in lines if line.line_type == "discount")


def test_codes_prices_and_cells_come_in_their_odd_forms(made: Made) -> None:
    lines = good(made)
    assert any(re.fullmatch(r"\d{5}[a-z]", line.raw_code) for line in lines)
    assert any(re.fullmatch(r"\d+\.\d{3}", line.cells[5]) for line in lines)
    descriptions = [line.cells[2] for line in lines]
    assert all(any(mark in text for text in descriptions) for mark in ',"\n')


def test_equal_lines_stand_in_one_invoice_apart_from_each_other(made: Made) -> None:
    places = defaultdict(list)
    for place, line in enumerate(made.delivered_first):
        if not line.errors:
            places[line.content].append(place)
    gaps = [later[-1] - later[0] for later in places.values() if len(later) > 1]
    assert len(gaps) > 200
    assert max(gaps) > 10


def test_days_come_again_whole_in_the_same_and_in_another_spelling(made: Made) -> None:
    first: dict[str, list[Line]] = defaultdict(list)
    for line in made.delivered_first:
        if line.at:
            first[f"{line.at:%Y-%m-%d}"].append(line)
    again = [lines for lines in made.files if "_again" in lines[0].file]
    assert len(again) == 3
    for lines in again:
        day = lines[0].file.removeprefix("sales_").removesuffix("_again.csv")
        dated = [line.content for line in lines if line.at]
        assert dated == [line.content for line in first[day]]
    spellings = {lines[0].cells[4].count("/") for lines in again}
    assert spellings == {0, 2}
    assert any(line.cells[6].endswith(".0") for lines in again for line in lines)


def test_no_content_is_in_two_files_but_through_a_second_delivery(made: Made) -> None:
    files = defaultdict(set)
    for line in made.delivered_first:
        files[line.content].add(line.file)
    assert {len(names) for names in files.values()} == {1}


def test_headers_and_marks_differ_between_systems(made: Made) -> None:
    heads = set()
    for path in made.report.data.iterdir():
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        heads.add(content.partition(b"\n")[0])
    assert len(heads) == 3
    assert sum(head.startswith(b"\xef\xbb\xbf") for head in heads) == 1
