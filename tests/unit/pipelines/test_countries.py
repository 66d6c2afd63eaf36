import polars as pl
import pytest

from pipelines.countries import countries, country_lookup
from warehouse_sql.tables.arrow import arrow_schema
from warehouse_sql.tables.gold import DimCountry

NAMES = (
    "United Kingdom,France,Australia,Netherlands,Germany,Norway,EIRE,Switzerland,Spain,Poland,Portugal,Italy,Belgium,"
    "Lithuania,Japan,Iceland,Channel Islands,Denmark,Cyprus,Sweden,Austria,Israel,Finland,Bahrain,Greece,Hong Kong,"
    "Singapore,Lebanon,United Arab Emirates,Saudi Arabia,Czech Republic,Canada,Unspecified,Brazil,USA,"
    "European Community,Malta,RSA,Korea,West Indies,Bermuda,Nigeria,Thailand"
)
"""All country names of both editions of UCI Online Retail."""


def test_all_names_of_both_editions_are_members() -> None:
    names = NAMES.split(",")
    assert len(names) == 43
    assert set(names) <= set(countries()["country"])


def test_members_have_the_columns_of_the_dimension_and_are_distinct() -> None:
    members = countries()
    assert members.columns == arrow_schema(DimCountry).names
    assert members["country_key"].is_unique().all()
    assert members["country"].is_unique().all()
    assert members.height == 249 + 4
    assert members["region"].null_count() == 0
    assert members.filter(pl.col("iso_alpha2").is_null())["country"].to_list() == [
        "West Indies", "Channel Islands", "European Community", "Unspecified",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("spelling", "country", "alpha2", "region"),
    [
        ("ireland", "EIRE", "IE", "Northern Europe"),
        ("south africa", "RSA", "ZA", "Southern Africa"),
        ("united states of america", "USA", "US", "Northern America"),
        ("uk", "United Kingdom", "GB", "Northern Europe"),
        ("deu", "Germany", "DE", "Western Europe"),
        ("na", "Namibia", "NA", "Southern Africa"),
        ("republic of korea", "Korea", "KR", "Eastern Asia"),
        ("nru", "Nauru", "NR", "Micronesia"),
        ("democratic republic of the congo", "DR Congo", "CD", "Middle Africa"),
    ],
)
def test_spellings(spelling: str, country: str, alpha2: str, region: str) -> None:
    known = dict(country_lookup().iter_rows())
    assert known[spelling] == country
    member = countries().row(by_predicate=pl.col("country") == country, named=True)
    assert (member["iso_alpha2"], member["region"]) == (alpha2, region)


def test_every_sub_region_of_m49_has_all_its_countries() -> None:
    """Held against UN M49, counted there: a country in a wrong region changes two counts."""
    sizes = dict(countries().filter(pl.col("iso_alpha2").is_not_null()).group_by("region").len().iter_rows())
    assert sizes == {
        "Antarctica": 1, "Australia and New Zealand": 6, "Caribbean": 28, "Central America": 8, "Central Asia": 5,
        "Eastern Africa": 22, "Eastern Asia": 8, "Eastern Europe": 10, "Melanesia": 5, "Micronesia": 8,
        "Middle Africa": 9, "Northern Africa": 7, "Northern America": 5, "Northern Europe": 16, "Polynesia": 10,
        "South America": 16, "South-eastern Asia": 11, "Southern Africa": 5, "Southern Asia": 9, "Southern Europe": 16,
        "Western Africa": 17, "Western Asia": 18, "Western Europe": 9,
    }  # fmt: skip


def test_spellings_are_clean_and_each_stands_for_one_country() -> None:
    lookup = country_lookup()
    assert lookup["spelling"].is_unique().all()
    assert lookup["spelling"].to_list() == [" ".join(text.lower().split()) for text in lookup["spelling"]]
    assert set(lookup["country"]) == set(countries()["country"])
