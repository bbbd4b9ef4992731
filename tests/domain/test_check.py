"""Check: the pipeline's judgement of files at hand, in the order of their evidence."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from pipeline.domain import continuity
from pipeline.domain.account import Run
from pipeline.domain.annotation import Annotation
from pipeline.domain.check import Checked, FileRead, check, covered_cells, exit_code, gravest
from pipeline.domain.continuity import SourceState
from pipeline.domain.grounds import Unread, Untested
from pipeline.domain.probe import SegmentProbed
from pipeline.domain.recording import RecordingEnded
from pipeline.domain.time import WallMs
from tests.builders import (
    T0,
    claimed,
    facts,
    hole,
    mp4,
    mtxi,
    object_ref,
    photo,
    policy,
    probed,
    session_ended,
    unreadable,
    video,
)  # fmt: skip

NOW = WallMs(T0 + 86_400_000)


def read(item: SegmentProbed, name: str) -> FileRead:
    landed = item.landed
    return FileRead(
        name=name,
        sha256=landed.object.sha256,
        size_bytes=landed.object.size_bytes,
        facts=item.facts,
        start=landed.claimed_start,
        sequence=landed.sequence,
        run=landed.run,
    )


def checked(*items: SegmentProbed, names: Sequence[str] = "abcdefgh", unread: Sequence[Unread] = ()) -> Checked:
    files = [read(item, name) for item, name in zip(items, names, strict=False)]
    return check("session", files, unread, "cctv", NOW, policy())


def through_the_pipeline(*items: SegmentProbed) -> RecordingEnded:
    numbered = [
        replace(item, landed=replace(item.landed, announcement=number)) for number, item in enumerate(items, start=1)
    ]
    events: list[SegmentProbed | Annotation] = [*numbered, session_ended(expected=len(items))]
    state, ended = SourceState(), []
    for event in events:
        state, judged = continuity.step(state, event, policy())
        ended += [item.ended for item in judged if item.ended is not None]
    return ended[-1]


@pytest.mark.parametrize(
    "items",
    [
        (probed(0), probed(1), probed(2)),
        (probed(0), probed(3)),
        (mp4(0), mp4(1), mp4(4)),
        (mp4(0, 10_000, hole(2000, 5000)), mp4(1)),
        (probed(0), photo(1), unreadable(2)),
    ],
    ids=["whole", "missing files", "wall clock alone", "hole inside", "a photo and a bad file"],
)
def test_check_and_pipeline_find_the_same(items: tuple[SegmentProbed, ...]) -> None:
    expected = through_the_pipeline(*items)

    found = checked(*items).ended

    assert found is not None
    assert (found.verdict, found.runs, found.gaps, found.findings) == (
        expected.verdict,
        expected.runs,
        expected.gaps,
        expected.findings,
    )


def test_files_are_in_the_order_of_their_evidence_not_of_their_names() -> None:
    result = checked(probed(2), probed(0), photo(5), probed(1))

    assert [name for name, _ in result.files] == ["b", "d", "a", "c"]
    assert result.verdict == "continuous"


def unplaced(number: int, **changes: Any) -> SegmentProbed:
    return mp4(number, claimed_start=None, **changes)


@pytest.mark.parametrize(
    ("items", "order"),
    [
        ([mtxi(2, claimed_start=claimed(T0)), mtxi(0, claimed_start=claimed(T0)), mtxi(1)], "bca"),
        ([probed(2, sequence=1), probed(0, sequence=2), probed(1, sequence=3)], "bca"),
        ([mp4(0, sequence=7), mp4(1, sequence=6, claimed_start=claimed(T0)), mp4(2, sequence=8)], "bac"),
        ([mp4(2), mp4(0), mp4(1)], "bca"),
        ([unplaced(0, sequence=12), unplaced(1, sequence=9), unplaced(2, sequence=10)], "bca"),
    ],
    ids=["identity before claims", "stamps before numbers", "numbers before clocks", "clocks", "numbers alone"],
)
def test_stronger_evidence_orders_the_files(items: list[SegmentProbed], order: str) -> None:
    assert "".join(name for name, _ in checked(*items).files) == order


def test_thousands_of_files_in_any_order_take_seconds() -> None:
    items = [probed(number) for number in range(2_000)]
    random.Random(4).shuffle(items)
    files = [read(item, f"{number}") for number, item in enumerate(items)]
    begun = time.process_time()

    result = check("day", files, [], "cctv", WallMs(T0 + 10 * 86_400_000), policy())

    assert time.process_time() - begun < 10
    assert result.verdict == "continuous"
    starts = [segment.start for _, segment in result.files]
    assert starts == sorted(starts, key=lambda at: at or 0)


def other_camera(number: int) -> SegmentProbed:
    """A file of another size of picture, at the time of file *number* of the first camera, on a clock of its own."""
    stream = video(number * 900_000 + 77_777_777, format="640x360")
    return probed(number, facts(stream), object=object_ref(f"other/{number}"))


@pytest.mark.parametrize(("theirs", "verdict"), [((0, 1, 2), "not_testable"), ((3, 4), "continuous")])
def test_two_cameras_in_one_folder_hide_each_others_gaps_and_that_is_said(
    theirs: tuple[int, ...], verdict: str
) -> None:
    result = checked(probed(0), probed(1), probed(2), *map(other_camera, theirs))

    advice = [item.found for item in result.observations if "a folder of its own (-r)" in item.found]
    assert (result.verdict, len(advice)) == (verdict, 1 if verdict == "not_testable" else 0)


def test_a_gap_between_files_names_both_and_one_inside_names_one() -> None:
    between = checked(probed(3), probed(0)).observations
    inside = checked(mp4(0, 10_000, hole(2000, 5000)), mp4(1)).observations

    assert [(o.kind, o.after, o.file, o.at_ms, o.size_ms) for o in between] == [("gap", "b", "a", 10_000, 20_000)]
    assert [(o.kind, o.after, o.file, o.at_ms, o.size_ms) for o in inside] == [("gap", None, "a", 2_000, 3_000)]


def test_a_repeat_names_itself_and_what_it_repeats() -> None:
    result = checked(probed(0), probed(1), probed(0))

    (repeat,) = result.observations

    assert (repeat.kind, repeat.file, repeat.after) == ("duplicate", "c", "a")


def test_nothing_to_judge_is_never_continuous() -> None:
    empty, unread = checked(), checked(unread=[Unread("a.mp4", "0 bytes")])

    assert (empty.verdict, unread.verdict) == ("not_testable", "unreadable")
    assert (empty.span_ms, unread.not_tested) == (0, (Untested("unread", ("a.mp4",), reason="0 bytes"),))


WHOLE, GAP = checked(probed(0)), checked(probed(0), probed(3))
DEGRADED, PHOTO = checked(probed(0, sequence=1), probed(1, sequence=3)), checked(photo(0))
UNREAD_BESIDE = checked(probed(0), unread=[Unread("b.ts", "0 bytes")])


@pytest.mark.parametrize(
    ("results", "code"),
    [
        ([WHOLE], 0),
        ([WHOLE, WHOLE], 0),
        ([WHOLE, GAP, DEGRADED, PHOTO], 1),
        ([WHOLE, DEGRADED, PHOTO], 3),
        ([WHOLE, PHOTO], 4),
        ([UNREAD_BESIDE], 4),
        ([], 4),
    ],
)
def test_the_exit_code_is_the_worst_that_was_found(results: list[Checked], code: int) -> None:
    assert exit_code(results) == code


@pytest.mark.parametrize(
    ("hole", "cells"),
    [
        ((500, 501), "#####.####"),
        ((499, 501), "####..####"),
        ((0, 1), ".#########"),
        ((999, 1000), "#########."),
        ((200, 500), "##...#####"),
    ],
)
def test_the_shortest_hole_shows_in_the_bar(hole: tuple[int, int], cells: str) -> None:
    runs = [
        Run(start=WallMs(0), end=WallMs(hole[0]), segments=1),
        Run(start=WallMs(hole[1]), end=WallMs(1000), segments=1),
    ]

    shown = covered_cells(runs, 0, 1000, 10)

    assert "".join("#" if cell else "." for cell in shown) == cells


def test_the_gravest_are_shown_in_their_order() -> None:
    found = checked(probed(0), probed(0), probed(3), unreadable(4)).observations

    shown = gravest(found, 2)

    assert [item.level for item in shown] == ["interruption", "interruption"]
    assert [item for item in found if item in shown] == shown
