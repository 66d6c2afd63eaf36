"""The countries of the world by the names that sources use; knows no table that holds them.

`countries.csv` lists ISO 3166-1 (names and codes as of 2025) with the sub-regions of UN M49, and four areas that UCI
Online Retail names beside them: Channel Islands (M49 830), West Indies (the Caribbean, M49 29), European Community and
Unspecified (numbers 918 and 999, which ISO leaves to users). A country that Online Retail spells its own way (EIRE,
RSA, USA, …) keeps that spelling, since figures are compared by it.
"""

from functools import cache
from importlib.resources import files

import polars as pl


@cache
def _members() -> pl.DataFrame:
    data = files("pipelines").joinpath("countries.csv").read_bytes()
    return pl.read_csv(data, schema_overrides={"country_key": pl.Int32}, empty_string_is_null=False)


def countries() -> pl.DataFrame:
    """Give the members of dim_country.

    Returns:
        One row per country: country_key (Int32), country, iso_alpha2, iso_alpha3 (null for areas), region.
    """
    codes = [pl.when(pl.col(name) != "").then(pl.col(name)).alias(name) for name in ("iso_alpha2", "iso_alpha3")]
    return _members().select("country_key", "country", *codes, "region")


@cache
def country_lookup() -> pl.DataFrame:
    """Give every spelling of every country.

    Returns:
        spelling (lower case, each once) → country: its name, its aliases and its ISO codes.
    """
    spellings: dict[str, str] = {}
    for member in _members().iter_rows(named=True):
        for spelling in (member["country"], member["iso_alpha2"], member["iso_alpha3"], *member["aliases"].split(";")):
            if spelling and spellings.setdefault(spelling.lower(), member["country"]) != member["country"]:
                raise ValueError(f"countries.csv: {spelling!r} stands for two countries")
    return pl.DataFrame({"spelling": list(spellings), "country": list(spellings.values())})
