"""What a state partition, read in order, means."""

from __future__ import annotations

import pytest

from pipeline.agents.stage import Output
from pipeline.agents.state_log import (
    OWNER_KEY,
    PASSED_KEY,
    Loaded,
    Record,
    consecutive,
    decode_record,
    encode_owner,
    encode_passed,
    encode_record,
)


def record(epoch: int, version: int, *, state: object = None) -> bytes:
    return encode_record(Record(state, {"in": version}, version, epoch, ()))


def loaded(*entries: tuple[bytes, bytes]) -> Loaded:
    found = Loaded()
    for key, value in entries:
        found.add(key, value)
    return found


def test_a_record_survives_the_wire_with_its_outbox() -> None:
    outbox = (Output("out", b"\x00k", b"\xff", (("ce_id", b"1"),)), Output("out", b"k", b""))
    before = Record({"n": [1, "二"]}, {"in": 3, "also": 0}, 7, 5, outbox)

    assert decode_record(encode_record(before)) == before


def test_a_record_without_a_format_is_of_the_first() -> None:
    text = encode_record(Record({}, {}, 1, 0, ()))
    old = text.replace(b'"format":"1.1",', b"")

    assert old != text
    assert decode_record(old) == decode_record(text)


def test_of_a_record_of_another_layout_only_its_rank_is_known() -> None:
    text = encode_record(Record({"n": 1}, {"in": 3}, 7, 5, ())).replace(b'"format":"1.1"', b'"format":"2.1"')

    assert decode_record(text) == Record(None, {}, 7, 5, (), None)


@pytest.mark.parametrize(
    ("writes", "counts", "stale"),
    [
        ([(0, 1), (0, 2)], (0, 2), set()),
        ([(0, 2), (0, 1)], (0, 2), {"k"}),
        ([(0, 5), (3, 5)], (3, 5), set()),
        ([(3, 5), (0, 6)], (3, 5), {"k"}),
        ([(0, 5), (0, 5)], (0, 5), set()),
    ],
)
def test_the_record_of_the_youngest_owner_and_highest_version_counts(
    writes: list[tuple[int, int]], counts: tuple[int, int], stale: set[str]
) -> None:
    found = loaded(*((b"k", record(epoch, version)) for epoch, version in writes))

    assert (found.records["k"].epoch, found.records["k"].version) == counts
    assert found.stale == stale


def test_the_youngest_owner_record_names_the_owner() -> None:
    assert loaded((OWNER_KEY, encode_owner("a")), (OWNER_KEY, encode_owner("b"))).owner == "b"
    assert loaded().owner is None


def test_the_next_offset_is_past_what_was_folded_and_past_what_was_quarantined() -> None:
    folded = (b"k", record(0, 4))
    passed = (PASSED_KEY, encode_passed({"in": 9}))

    assert loaded().next_offset("in") == 0
    assert loaded(folded).next_offset("in") == 5
    assert loaded(folded, passed).next_offset("in") == 9
    assert loaded(folded, passed).next_offset("other") == 0


@pytest.mark.parametrize(
    ("offsets", "expected", "sole"),
    [([], 4, True), ([4], 4, True), ([5, 4], 4, True), ([5], 4, False), ([4, 6], 4, False), ([-1], 4, False)],
)
def test_a_sole_writers_puts_are_consecutive(offsets: list[int], expected: int, sole: bool) -> None:
    assert consecutive(offsets, expected) is sole
