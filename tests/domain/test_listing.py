"""Lists held against files: what is in the files is stronger, what only the list says is told as its word."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pipeline.domain.check import Checked, FileRead, Observation, check
from pipeline.domain.hls_claims import Entry, Length
from pipeline.domain.listing import Held, Listing, times
from pipeline.domain.probe import SegmentProbed
from pipeline.domain.time import MAX_WALL_MS, ClaimedTime, WallMs
from tests.builders import T0, claimed, mp4, policy, probed, unreadable

NOW = WallMs(T0 + 86_400_000)
TEN_S = Length(10_000_000, 500)


def at(number: int, error_ms: int = 1, off_ms: int = 0) -> ClaimedTime:
    return ClaimedTime(at=WallMs(T0 + number * 10_000 + off_ms), origin="playlist", error_ms=error_ms)


def named(item: SegmentProbed | None, number: int, **changes: object) -> Held:
    """An entry of ten seconds; ``None``: the file it names is not there."""
    entry = replace_entry(Entry(f"{number}.ts", number, TEN_S, at(number)), changes)
    return Held(entry, item.landed.object.sha256 if item else None, missing=item is None and not entry.gap)


def replace_entry(entry: Entry, changes: dict[str, object]) -> Entry:
    return entry._replace(**changes)  # type: ignore[arg-type]  # names of its fields


def judged(files: list[SegmentProbed], *entries: Held, given: bool = True) -> Checked:
    read = [
        FileRead(
            name=f"file {number}",
            sha256=item.landed.object.sha256,
            size_bytes=item.landed.object.size_bytes,
            facts=item.facts,
            start=item.landed.claimed_start,
        )
        for number, item in enumerate(files)
    ]
    return check("hall", read, [], "cctv", NOW, policy(), [Listing("day.m3u8", entries, given)])


def told(result: Checked) -> list[tuple[str, str, str]]:
    return [(item.kind, item.level, item.evidence) for item in result.observations]


def restarting(number: int, length_ms: int = 10_000) -> SegmentProbed:
    """A file that starts at zero under a name that says nothing: its date is that of a copy."""
    return mp4(number, length_ms + number, claimed_start=claimed(T0 + 3_600_000, 2000, "file_system"))


def test_files_without_a_time_of_their_own_lie_where_the_list_says() -> None:
    one, two, three = (restarting(number) for number in range(3))

    result = judged([three, one, two], named(one, 0), named(two, 1), named(three, 2))

    assert (result.verdict, result.observations) == ("continuous", ())
    assert [name for name, _ in result.files] == ["file 1", "file 2", "file 0"]
    assert {basis.origin for basis in result.bases} == {"playlist"}


def test_a_named_file_that_is_not_there_is_a_gap_as_long_as_the_list_says() -> None:
    one, two = restarting(0), restarting(2)

    result = judged([one, two], named(one, 0), named(None, 1, length=Length(1_000_000, 500)), named(two, 1))

    (gap,) = result.observations
    assert result.verdict == "interrupted"
    assert (gap.kind, gap.level, gap.evidence, gap.size_ms) == ("gap", "interruption", "sequence", 1000)
    assert (gap.after, gap.file, gap.expected) == ("file 0", "file 1", "1.ts, as day.m3u8 names")


def test_where_the_stamps_show_the_hole_the_gap_is_theirs_and_told_once() -> None:
    one, two = probed(0), probed(2)

    result = judged([one, two], named(one, 0), named(None, 1), named(two, 2))

    assert told(result) == [("gap", "interruption", "media_clock"), ("missing_sequence", "note", "sequence")]
    assert sum(item.kind == "gap" for item in result.observations) == 1


def test_where_the_stamps_run_on_a_missing_file_costs_no_time() -> None:
    one, two = probed(0), probed(1)

    result = judged([one, two], named(one, 0), named(None, 1, length=Length(4_000_000, 0)), named(two, 1))

    assert told(result) == [("missing_sequence", "degradation", "sequence")]


@pytest.mark.parametrize("where", ["first", "last"])
def test_files_missing_at_the_ends_are_gaps_only_the_list_knows(where: str) -> None:
    held = probed(1)
    gone = [named(None, 0)] if where == "first" else [named(None, 2), named(None, 3)]
    entries = [*gone, named(held, 1)] if where == "first" else [named(held, 1), *gone]

    (gap,) = judged([held], *entries).observations

    assert (gap.kind, gap.level, gap.size_ms) == ("gap", "interruption", 10_000 * len(gone))
    assert (gap.file, gap.after) == (("file 0", None) if where == "first" else (None, "file 0"))


def test_a_gap_the_list_admits_is_one_and_lies_behind_what_is_missing_before_it() -> None:
    one = probed(0)

    missing, admitted = judged([one], named(one, 0), named(None, 1), named(None, 2, gap=True)).observations

    assert [(item.start, item.size_ms) for item in (missing, admitted)] == [
        (T0 + 10_000, 10_000),
        (T0 + 20_000, 10_000),
    ]
    assert "itself says" in admitted.found


@pytest.mark.parametrize(("number", "verdict"), [(1, "continuous"), (2, "interrupted")])
def test_an_admitted_gap_is_what_the_stamps_make_of_it(number: int, verdict: str) -> None:
    one, two = probed(0), probed(number)

    result = judged([one, two], named(one, 0), named(None, 1, gap=True), named(two, number))

    (note,) = [item for item in result.observations if item.kind != "gap"]
    assert (result.verdict, note.kind, note.level) == (verdict, "declared_discontinuity", "note")


def test_a_hole_in_the_stamps_beats_a_list_without_one_and_both_sides_are_said() -> None:
    one, two = probed(0), probed(2)

    (gap,) = judged([one, two], named(one, 0), named(two, 1)).observations

    assert (gap.kind, gap.evidence, gap.size_ms) == ("gap", "media_clock", 10_000)
    assert gap.expected == "media that runs on, as day.m3u8 has it"


def announced(result: Checked) -> Observation:
    return next(item for item in result.observations if item.kind == "declared_discontinuity")


@pytest.mark.parametrize(
    ("make", "guessed", "verdict"),
    [(probed, True, "continuous"), (restarting, True, "not_testable"), (restarting, False, "continuous")],
    ids=["stamps run on", "nobody says how much time passed", "the list says when it goes on"],
)
def test_an_announced_discontinuity_is_a_note_and_tested_where_it_can_be(
    make: object, guessed: bool, verdict: str
) -> None:
    assert callable(make)
    one, two = make(0), make(1)

    result = judged([one, two], named(one, 0), named(two, 1, announced=True, guessed=guessed))

    assert (announced(result).level, announced(result).file, result.verdict) == ("note", "file 1", verdict)


def test_of_two_lists_the_more_exact_is_taken_and_that_they_differ_is_said() -> None:
    one = restarting(0)
    exact, rough = named(one, 0), named(one, 0, starts=at(0, 1000, 5000))
    listings = [Listing("rough.m3u8", (rough,)), Listing("exact.m3u8", (exact,))]
    read = replace(FileRead(name="a", sha256=one.landed.object.sha256, size_bytes=1, facts=one.facts))

    result = check("hall", [read], [], "cctv", NOW, policy(), listings)

    (note,) = result.observations
    assert times(listings, {}) == {one.landed.object.sha256: at(0)}
    assert (note.kind, note.level, note.size_ms) == ("clock_step", "note", 5000)
    assert "rough.m3u8" in note.found


@pytest.mark.parametrize(("given", "origin"), [(True, "playlist"), (False, "file_name")])
def test_a_time_in_the_name_comes_before_a_list_unless_the_list_was_given(given: bool, origin: str) -> None:
    one = mp4(0)

    (basis,) = judged([one], named(one, 0), given=given).bases

    assert basis.origin == origin


def test_parts_of_one_file_are_one_file() -> None:
    whole, next_one = probed(0), probed(1)
    half = Length(5_000_000, 500)
    parts = [
        named(whole, 0, length=half, ranged=True),
        named(whole, 1, length=half, starts=at(0, off_ms=5000), ranged=True),
    ]

    result = judged([whole, next_one], *parts, named(next_one, 1))

    assert (result.verdict, result.observations, len(result.files)) == ("continuous", (), 2)


def test_an_opaque_file_is_not_testable_and_says_why() -> None:

    item = unreadable(0)
    read = FileRead(
        name="a.ts", sha256=item.landed.object.sha256, size_bytes=1, facts=item.facts, opaque="encrypted (AES-128)"
    )

    result = check("hall", [read], [], "cctv", NOW, policy())

    assert (result.verdict, [item.found for item in result.observations]) == ("not_testable", ["encrypted (AES-128)"])


def test_lengths_beyond_all_time_end_where_time_can_be_written() -> None:
    held, endless = probed(0), Length(MAX_WALL_MS * 1000, 0)

    (gap,) = judged([held], named(held, 0), named(None, 1, length=endless)).observations

    assert (gap.start, gap.end) == (T0 + 10_000, MAX_WALL_MS)
