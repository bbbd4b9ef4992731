from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.canonical import MAX_SAFE_INTEGER, canonical, digest, plain
from pipeline.domain.time import Nanos, WallMs

NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-MAX_SAFE_INTEGER, MAX_SAFE_INTEGER) | NAMES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)


@given(JSON)
def test_canonical_bytes_are_json_of_the_same_value(value: Any) -> None:
    assert json.loads(canonical(value)) == value


@given(st.dictionaries(NAMES, st.integers(0, 9), max_size=6), st.randoms())
def test_the_order_of_fields_does_not_matter(value: dict[str, int], random: Any) -> None:
    names = list(value)
    random.shuffle(names)

    assert canonical({name: value[name] for name in names}) == canonical(value)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        # The names of RFC 8785, section 3.2.3: sorted by UTF-16 code units, an emoji before a presentation form.
        (
            {"\u20ac": 1, "\r": 2, "\ufb33": 3, "1": 4, "\U0001f600": 5, "\u0080": 6, "\u00f6": 7},
            '{"\\r":2,"1":4,"\u0080":6,"ö":7,"€":1,"😀":5,"\ufb33":3}',
        ),
        # Its string, section 3.2.2.2: short escapes where JSON has them, \u00xx in lower case for other controls.
        ('€$\u000f\nA\'B"\\\\"/', '"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"'),
        ({"b": [True, None, -1], "a": {}}, '{"a":{},"b":[true,null,-1]}'),
        (("tuple",), '["tuple"]'),
    ],
)
def test_the_spelling_is_that_of_rfc_8785(value: Any, text: str) -> None:
    assert canonical(value) == text.encode()


@pytest.mark.parametrize("number", [MAX_SAFE_INTEGER - 1, MAX_SAFE_INTEGER, -MAX_SAFE_INTEGER])
def test_integers_every_language_keeps_are_written(number: int) -> None:
    assert canonical(number) == str(number).encode()


@pytest.mark.parametrize("value", [MAX_SAFE_INTEGER + 1, -MAX_SAFE_INTEGER - 1, 1.0, float("nan"), b"x", {1}, "\ud800"])
def test_what_two_languages_may_write_differently_is_refused(value: Any) -> None:
    with pytest.raises(ValueError):
        canonical({"deep": [value]})


def test_a_digest_is_sha256_of_the_canonical_bytes() -> None:
    assert digest({"b": 1, "a": 2}) == hashlib.sha256(b'{"a":2,"b":1}').hexdigest()


@dataclass(frozen=True, slots=True)
class Part:
    """A value with everything that has a spelling of its own."""

    at: WallMs
    ns: Nanos
    reason: str | None
    inner: tuple[Any, ...]


def test_a_domain_value_becomes_plain_json_with_its_nulls() -> None:
    value = Part(WallMs(1), Nanos(1 << 60), None, (Part(WallMs(0), Nanos(0), "x", ()), {"n": True}))

    assert plain(value) == {
        "at": "1970-01-01T00:00:00.001Z",
        "ns": "1152921504606846976",
        "reason": None,
        "inner": [{"at": "1970-01-01T00:00:00.000Z", "ns": "0", "reason": "x", "inner": []}, {"n": True}],
    }


@pytest.mark.parametrize("value", [1.5, b"x", {1}, object()])
def test_what_has_no_json_form_is_not_made_plain(value: object) -> None:
    with pytest.raises(ValueError, match="has no plain form"):
        plain((value,))
