from __future__ import annotations

import json
from typing import Any

import pytest

from pipeline.domain.stitch import documents
from pipeline.wire.codec import encode
from pipeline.wire.statements import archived, take
from tests.builders import T0, explanation, metadata, policy, probed
from tests.builders_archive import chained, ended

POLICY = policy()


def _raw(**changes: Any) -> dict[str, Any]:
    made = metadata(made_at=T0)
    return {**json.loads(encode(made)), **changes}


def test_a_statement_becomes_the_value_that_its_json_stands_for() -> None:
    assert take(_raw(), T0, POLICY) == (metadata(made_at=T0), ())


def test_a_remark_comes_with_the_value() -> None:
    said = explanation(-20_000, -10_000, voice=None, made_at=T0)

    taken = take(json.loads(encode(said)), T0, POLICY)

    assert (taken.annotation, [one.rule for one in taken.said]) == (said, ["voice_missing"])


@pytest.mark.parametrize(
    ("changes", "field", "found"),
    [
        ({"metadata": {"case_name": 7}}, "metadata.case_name", "expected `str | null`, found `int`"),
        ({"metadata": None}, "statement", "carries ['metadata'], found none"),
        ({"made_by": None}, "made_by", "expected `str`, found `null`"),
        ({"recording_id": None}, "statement", "names its recording"),
    ],
)
def test_what_the_schema_refuses_is_named_by_its_place(changes: dict[str, Any], field: str, found: str) -> None:
    taken = take(_raw(**changes), T0, POLICY)

    (one,) = taken.said
    assert (taken.annotation, one.field, one.rule) == (None, field, "shape")
    assert found in one.found


def test_a_lone_surrogate_is_refused_and_does_not_raise() -> None:
    assert take(_raw(made_by="\ud800"), T0, POLICY).annotation is None


def test_what_was_said_is_read_back_from_the_manifest_as_it_was_said() -> None:
    said = (explanation(10_000, 20_000), metadata(), metadata("case-2", made_by="Wu"))
    links = chained([probed(0), probed(2)], ended(), said=said)
    manifest = json.loads(dict(documents(links, "unbroken"))["manifest.json"])

    assert tuple(archived(manifest)) == said
