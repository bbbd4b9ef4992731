"""Evidence goes to a store only while its last try, made lately by this process, found nothing wrong."""

from __future__ import annotations

import json

import pytest

from pipeline.domain.canonical import canonical
from pipeline.domain.time import WallMs
from pipeline.domain.worm import Left, Tried, WormReport, is_report_key, mistrust, report_document, report_key
from tests.builders import T0
from tests.wire.contract import validator

HOUR_S = 3600


def report(*tried: Tried) -> WormReport:
    left = Left(key="expiring/a", version_id="v1")
    return WormReport(tried_at=T0, store="https://store", software="unbroken test", tried=tried, left=left)


def tried(*, must: bool, ok: bool | None) -> Tried:
    return Tried(name="a shorter lock", must=must, ok=ok, found="accepted")


def test_a_store_nobody_tried_is_not_trusted() -> None:
    assert mistrust(None, T0, HOUR_S) == "the store's locks were not tried yet"


@pytest.mark.parametrize(("must", "ok"), [(True, True), (True, None), (False, True), (False, None), (False, False)])
def test_only_a_must_that_failed_forbids_evidence(must: bool, ok: bool | None) -> None:
    assert mistrust(report(tried(must=must, ok=ok)), T0, HOUR_S) is None


def test_a_must_that_failed_is_named_with_what_was_found() -> None:
    why = mistrust(report(tried(must=True, ok=True), tried(must=True, ok=False)), T0, HOUR_S)

    assert why == "the store does not lock as it must: a shorter lock: accepted"


@pytest.mark.parametrize(("late_ms", "trusted"), [(-1, True), (0, True), (1, False)])
def test_a_pass_wears_off_after_two_intervals(late_ms: int, trusted: bool) -> None:
    now = WallMs(T0 + 2 * HOUR_S * 1000 + late_ms)

    assert (mistrust(report(), now, HOUR_S) is None) is trusted


def test_differences_are_told_apart_from_faults() -> None:
    made = report(tried(must=True, ok=False), tried(must=False, ok=False), tried(must=False, ok=None))

    assert (made.wrong, made.differing) == (made.tried[:1], made.tried[1:2])


def test_keys_of_reports_sort_by_time_and_are_file_names_everywhere() -> None:
    keys = [report_key(WallMs(T0 + step)) for step in (0, 1, 1000, 86_400_000)]

    assert keys == sorted(keys)
    assert all(":" not in key for key in keys)


@pytest.mark.parametrize("key", ["worm/", "worm/latest.json", "records/worm/2026-11-24T08-00-00.000Z.json"])
def test_a_key_that_no_report_has_is_told_from_one(key: str) -> None:
    assert (is_report_key(report_key(T0)), is_report_key(key)) == (True, False)


@pytest.mark.parametrize("ok", [True, False])
def test_the_document_is_canonical_and_as_its_schema_says(ok: bool) -> None:
    document = report_document(report(tried(must=True, ok=ok), tried(must=False, ok=None)))

    value = json.loads(document)

    assert document == canonical(value)
    assert value["passed"] is ok
    assert [error.message for error in validator("worm.v1").iter_errors(value)] == []
