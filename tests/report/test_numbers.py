"""Numbers as they are printed: 4 digits, no rounding noise."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from theory_lab.report import numbers

finite = st.floats(-1e12, 1e12, allow_nan=False)


@given(finite)
def test_four_significant_digits_and_no_more(value):
    text = numbers.digits(value)
    if not (value.is_integer() and abs(value) < 10**6):
        mantissa = text.lstrip("-").partition("e")[0].replace(".", "").strip("0")
        assert len(mantissa) <= 4
        assert math.isclose(float(text), value, rel_tol=5.1e-4)


@given(st.floats(1e-6, 1e6), st.floats(-1e-7, 1e-7))
def test_what_is_small_against_its_scale_shows_no_digits(scale, relative):
    text = numbers.beside(relative * scale, scale)
    assert text == "0" or re.fullmatch(r"< 1e-\d\d", text)


@given(st.floats(1e-9, 9e-7), st.floats(-1e-3, 1e-3))
def test_a_small_deviation_is_bounded_by_its_power_of_ten(value, change):
    bound = float(numbers.deviation(value).removeprefix("< "))
    assert value <= bound * (1 + 1e-6)
    assert bound <= 10.01 * value


@pytest.mark.parametrize("noise", [0.0, 1e-17, 3e-16, 1e-12, 9e-10])
def test_rounding_noise_has_one_face(noise):
    assert numbers.deviation(noise) == "< 1e-09"
    assert numbers.resolution(1e-7 + noise / 100) == "1e-07"
    assert numbers.margin(1e-7 - noise) == "< 1e-06"
    assert numbers.margin(-noise - 1e-13).startswith("> -1e-06")


def test_deviations_far_below_the_tolerance_are_one():
    assert {numbers.deviation(v, 5e-3) for v in (1e-12, 2e-7, 9e-6, 4e-5)} == {"< 1e-04"}
    assert numbers.deviation(6e-4, 5e-3) == "0.0006"


def test_enclosures_with_equal_digits_are_one_number():
    assert numbers.interval(0.500001, 0.500002, 1.0) == "0.5"
    assert numbers.interval(0.5, 0.75, 1.0) == "0.5 … 0.75"


def test_what_is_missing_or_infinite_is_said():
    assert numbers.digits(None) == "–"
    assert numbers.digits(float("nan")) == "not finite"
    assert numbers.digits(12.0) == "12"
