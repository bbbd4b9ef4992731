"""Who answers for a record beside the recordings, how it is locked, and what lies over an object."""

from __future__ import annotations

import pytest

from pipeline.domain.archive import LockMode
from pipeline.domain.beside import Layered, Vouched, check_layers, check_record_locks, check_seals
from pipeline.domain.time import WallMs
from pipeline.domain.verify import Item, Lock
from tests.builders import T0, sha

KEY, OURS = "deadlines/hall-1/a/missed.json", "00" * 8


def sealed(**changes: object) -> Vouched:
    """A record with a seal of ours."""
    made = {"key": KEY, "found": sha("x"), "stated": (KEY, sha("x")), "key_id": OURS, "genuine": True, **changes}
    return Vouched(**made)  # type: ignore[arg-type]  # each as its field says


def results(items: list[Item]) -> list[tuple[str, str]]:
    return [(item.result, item.place) for item in items]


def test_a_record_as_its_seal_says_passes() -> None:
    assert results(check_seals("records", [sealed()], {OURS})) == [("pass", "")]


@pytest.mark.parametrize(
    "changes",
    [
        {"found": sha("y")},
        {"found": None},
        {"stated": (f"{KEY}x", sha("x"))},
        {"key_id": "11" * 8},
        {"genuine": False},
        {"why": "it carries no signature"},
    ],
    ids=["other bytes", "gone", "another's seal", "another key", "not signed", "no seal at all"],
)
def test_whatever_differs_is_a_fault_of_the_record(changes: dict[str, object]) -> None:
    assert results(check_seals("records", [sealed(**changes), sealed()], {OURS})) == [("fail", f"records/{KEY}")]


def test_a_record_without_a_seal_is_told_and_the_others_pass() -> None:
    passed, told = check_seals("records", [sealed(), Vouched(key="x", found=sha("x"))], {OURS})

    assert (passed.result, told.result) == ("pass", "not_covered")
    assert "1 records without a seal: records/x" in told.found


def test_a_key_that_comes_from_the_archive_proves_less_and_still_finds_what_it_did_not_sign() -> None:
    assert results(check_seals("records", [sealed()], ())) == [("not_covered", "")]
    assert results(check_seals("records", [sealed(), sealed(genuine=False)], ())) == [("fail", f"records/{KEY}")]


def test_nothing_to_look_at_is_no_answer() -> None:
    assert check_seals("records", [], {OURS}) == check_record_locks("records", [sealed()]) == []


@pytest.mark.parametrize(
    ("mode", "until", "result"),
    [("COMPLIANCE", T0, "pass"), ("COMPLIANCE", None, "fail"), ("GOVERNANCE", T0, "fail"), ("none", None, "fail")],
)
def test_a_record_is_locked_in_compliance_until_a_date(mode: LockMode, until: WallMs | None, result: str) -> None:
    (item,) = check_record_locks("records", [sealed(locks=((KEY, Lock(mode=mode, retain_until=until)),))])

    assert item.result == result


def test_markers_and_other_bytes_are_faults_and_the_same_bytes_twice_are_told() -> None:
    marked, other = Layered("records/a", True, False, ""), Layered("records/b", False, False, "v1 of 2 bytes")
    twice = Layered("records/c", False, True, "")

    assert results(check_layers("records", [marked, other, twice])) == [("fail", "records/a"), ("fail", "records/b")]
    assert "1 more than once, with the same bytes" in check_layers("records", [twice])[0].found
