"""Coverage: each stream is drawn where it was judged to be, and nowhere else."""

from __future__ import annotations

from dataclasses import replace

from pipeline.domain.check import Checked, FileRead, check
from pipeline.domain.coverage import Lane, lanes, numbered
from pipeline.domain.probe import SegmentProbed
from pipeline.domain.time import WallMs
from tests.builders import T0, hole, mp4, photo, policy, probed

NOW = WallMs(T0 + 86_400_000)


def checked(*items: SegmentProbed) -> Checked:
    files = [
        FileRead(
            name=str(number),
            sha256=item.landed.object.sha256,
            size_bytes=item.landed.object.size_bytes,
            facts=item.facts,
            start=item.landed.claimed_start,
        )
        for number, item in enumerate(items)
    ]
    return check("session", files, (), "cctv", NOW, policy())


def drawn(*items: SegmentProbed) -> tuple[Lane, ...]:
    return lanes(checked(*items), policy().tolerance["cctv"])


def since(lane: Lane) -> list[tuple[int, int]]:
    return [(lo - T0, hi - T0) for lo, hi in lane.spans]


def test_files_that_run_on_are_one_piece() -> None:
    (picture, *_) = drawn(probed(0), probed(1), probed(2))

    assert (picture.kind, picture.rank, since(picture)) == ("video", 1, [(0, 30_000)])


def test_a_missing_file_is_missing_in_every_stream() -> None:
    found = drawn(probed(0), probed(3))

    assert [since(lane) for lane in found] == [[(0, 10_000), (30_000, 40_000)]] * len(found)


def test_a_hole_inside_a_file_is_taken_out_though_it_is_shorter_than_what_clocks_can_tell() -> None:
    (picture, *_) = drawn(mp4(0, 10_000, hole(2000, 3000)), mp4(1))

    assert since(picture) == [(0, 2000), (3000, 20_000)]


def test_a_hole_in_one_stream_leaves_the_other_whole() -> None:
    silent = replace(hole(2000, 5000), kind="partial_gap", level="degradation", stream=1)
    item = mp4(0, 10_000, silent)
    (first,) = item.facts.streams
    both = replace(item.facts, streams=(first, replace(first, index=1, kind="audio", codec="aac")))

    picture, sound = drawn(replace(item, facts=both), mp4(1))

    assert since(picture) == [(0, 20_000)]
    assert (sound.kind, since(sound)) == ("audio", [(0, 2000), (5000, 10_000)])


def test_a_stream_that_begins_later_is_drawn_later() -> None:
    item = mp4(0, 10_000)
    (first,) = item.facts.streams
    later = replace(
        first, index=1, kind="audio", first_ticks=(first.first_ticks or 0) + first.time_base_den // first.time_base_num
    )

    _, sound = drawn(replace(item, facts=replace(item.facts, streams=(first, later))))

    assert since(sound) == [(1000, 10_000)]


def test_what_nothing_places_is_not_drawn() -> None:
    assert drawn(photo(0)) == ()


def test_streams_have_the_numbers_that_findings_between_files_give_them() -> None:
    item = mp4(0)
    (first,) = item.facts.streams
    streams = (replace(first, kind="audio"), replace(first, index=1), replace(first, index=2))

    found = numbered(checked(replace(item, facts=replace(item.facts, streams=streams))))

    assert found == (("video", 2), ("video", 1), ("audio", 1))
