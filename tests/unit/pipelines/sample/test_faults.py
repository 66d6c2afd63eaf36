from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from pipelines.sample.catalogue import Catalogue, make_catalogue
from pipelines.sample.drawn import Drawn, draw_file
from pipelines.sample.faults import DEAD, ERRORS, NONE, ODDITIES
from pipelines.sample.lines import SALE
from pipelines.sample.plan import Delivery, plan_sample, random_stream

LINES, SEED = 60_000, 5
EACH = 40
"""Lines of each odd kind, so many that any that fell on a wrong line would show."""


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return make_catalogue(LINES, SEED)


@pytest.fixture(scope="module")
def delivery() -> Delivery:
    planned = plan_sample(LINES, SEED, date(2023, 1, 2))[0]
    return replace(planned, stated=planned.stated | dict.fromkeys((*ERRORS, *DEAD, *ODDITIES), EACH))


@pytest.fixture(scope="module")
def drawn(catalogue: Catalogue, delivery: Delivery) -> Drawn:
    return draw_file(catalogue, delivery, [0.0] * len(delivery.days), random_stream(SEED))


@pytest.mark.parametrize("kind", [*ERRORS, *DEAD])
def test_each_kind_of_fault_has_the_stated_number_of_lines(drawn: Drawn, kind: str) -> None:
    assert len(drawn.faults.places(kind)) == EACH


def test_faults_fall_on_sales_of_goods_that_no_return_takes_back(drawn: Drawn) -> None:
    faulty = drawn.faults.kind != NONE
    assert drawn.lines.referred.sum() > 20
    assert not (faulty & drawn.lines.referred).any()
    assert set(drawn.lines.kind[faulty]) == {SALE}


def test_odd_lines_are_not_faulty_too(catalogue: Catalogue, delivery: Delivery, drawn: Drawn) -> None:
    lines, good = drawn.lines, drawn.faults.kind == NONE
    assert (lines.lower & good).sum() == lines.lower.sum() == delivery.stated["lower_case_code"]
    assert catalogue.has_letter[lines.code[lines.lower]].all()
    nameless = (lines.description == catalogue.no_description) & (lines.kind == SALE)
    assert np.count_nonzero(nameless & good) == np.count_nonzero(nameless) == EACH
