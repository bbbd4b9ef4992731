"""The playlist keeps time, tells of every break, and hides nothing it cannot play."""

from __future__ import annotations

import pytest

from pipeline.domain.derivative import Piece
from pipeline.domain.media import MPEG_TS_WRAP
from pipeline.domain.playlist import Loaded, Placed, playlist, unplayable
from pipeline.domain.probe import MediaFacts
from tests.builders import PTS0, SEGMENT_MS, audio, facts, video
from tests.builders_archive import gap, placed

FILE_TICKS = SEGMENT_MS * 90


def body(text: str) -> list[str]:
    """The lines between the header's five and the end mark."""
    lines = text.splitlines()
    assert lines[:3] == ["#EXTM3U", "#EXT-X-VERSION:8", "#EXT-X-PLAYLIST-TYPE:VOD"]
    assert lines[-1] == "#EXT-X-ENDLIST"
    return lines[5:-1]


def test_files_that_follow_each_other_are_simply_listed() -> None:
    text = playlist([placed(0), placed(1)], [])

    first, second = placed(0).original.key, placed(1).original.key
    assert body(text) == [
        "#EXT-X-PROGRAM-DATE-TIME:2026-11-24T08:00:00.000Z",
        "#EXTINF:10.000000,",
        f"../../../../../originals/{first}",
        "#EXT-X-PROGRAM-DATE-TIME:2026-11-24T08:00:10.000Z",
        "#EXTINF:10.000000,",
        f"../../../../../originals/{second}",
    ]
    assert "#EXT-X-TARGETDURATION:10\n" in text


@pytest.mark.parametrize(("residual_ms", "expected"), [(49, 0), (50, 0), (51, 1), (-50, 0), (-51, 1)])
def test_a_jump_of_the_media_clock_is_told(residual_ms: int, expected: int) -> None:
    after = placed(1, facts(video(PTS0 + FILE_TICKS + residual_ms * 90)))

    lines = body(playlist([placed(0), after], []))

    assert lines.count("#EXT-X-DISCONTINUITY") == expected


def test_a_wrap_of_the_33_bit_clock_is_no_discontinuity() -> None:
    before = placed(0, facts(video(MPEG_TS_WRAP - FILE_TICKS)))
    after = placed(1, facts(video(0)))

    assert "#EXT-X-DISCONTINUITY" not in body(playlist([before, after], []))


def test_a_change_of_format_is_told() -> None:
    after = placed(1, facts(video(PTS0 + FILE_TICKS, format="640x360")))

    assert body(playlist([placed(0), after], [])).count("#EXT-X-DISCONTINUITY") == 1


@pytest.mark.parametrize(
    ("missing_ms", "lengths"), [(9_999, [9999]), (10_000, [10000]), (25_001, [10000, 10000, 5001])]
)
def test_a_gap_keeps_its_time_in_pieces_no_longer_than_the_target(missing_ms: int, lengths: list[int]) -> None:
    hole = gap(SEGMENT_MS, SEGMENT_MS + missing_ms)
    later = placed(4, facts(video(PTS0 + 4 * FILE_TICKS)))

    lines = body(playlist([placed(0), later], [hole]))

    pieces = [index for index, line in enumerate(lines) if line == "#EXT-X-GAP"]
    assert [lines[index + 2] for index in pieces] == [f"#EXTINF:{ms // 1000}.{ms % 1000:03d}000," for ms in lengths]
    assert [lines[index + 3] for index in pieces] == ["gap.ts"] * len(lengths)
    assert lines[pieces[0] + 1] == "#EXT-X-PROGRAM-DATE-TIME:2026-11-24T08:00:10.000Z"
    assert lines[pieces[-1] + 4] == "#EXT-X-DISCONTINUITY"


def test_an_interruption_inside_a_file_is_a_remark_and_no_piece() -> None:
    lines = body(playlist([placed(0), placed(1)], [gap(12_000, 15_000)]))

    assert "#EXT-X-GAP" not in lines
    assert lines[3] == "# interruption inside this file: 2026-11-24T08:00:12.000Z to 2026-11-24T08:00:15.000Z"


@pytest.mark.parametrize("start_ms", [-20_000, 20_000])
def test_a_gap_before_or_after_all_files_is_shown(start_ms: int) -> None:
    lines = body(playlist([placed(0), placed(1)], [gap(start_ms, start_ms + 10_000)]))

    assert lines.count("#EXT-X-GAP") == 1
    assert lines.index("#EXT-X-GAP") == (1 if start_ms < 0 else 7)


def test_the_length_of_a_file_is_its_measured_span() -> None:
    odd = facts(video(PTS0, 9_967), audio(PTS0, 9_984))

    text = playlist([placed(0, odd)], [])

    assert "#EXTINF:9.967000," in text
    assert "#EXT-X-TARGETDURATION:10\n" in text


def test_what_cannot_be_played_in_place_is_a_remark_with_its_reason_and_keeps_its_time() -> None:
    lines = body(playlist([placed(0), placed(1, facts(video(0), container="mp4")), placed(2)], []))

    remark = f"# not played (container mp4: needs a derived file): ../../../../../originals/{placed(1).original.key}"
    blank = ["#EXT-X-GAP", "#EXT-X-PROGRAM-DATE-TIME:2026-11-24T08:00:10.000Z", "#EXTINF:10.000000,", "gap.ts"]
    assert lines[3:9] == [remark, *blank, "#EXT-X-DISCONTINUITY"]


def fragmented(number: int) -> Placed:
    return placed(number, facts(video(number * FILE_TICKS), container="fmp4", init_bytes=700))


def test_a_fragmented_file_is_its_own_init_section_and_the_rest_of_it() -> None:
    lines = body(playlist([fragmented(0), fragmented(1)], []))

    original = fragmented(1).original
    assert lines[5:] == [
        f'#EXT-X-MAP:URI="../../../../../originals/{original.key}",BYTERANGE="700@0"',
        "#EXT-X-PROGRAM-DATE-TIME:2026-11-24T08:00:10.000Z",
        "#EXTINF:10.000000,",
        f"#EXT-X-BYTERANGE:{original.size_bytes - 700}@700",
        f"../../../../../originals/{original.key}",
    ]


def test_a_transport_stream_cannot_follow_a_fragmented_file_as_no_tag_takes_an_init_section_back() -> None:
    lines = body(playlist([placed(0), fragmented(1), placed(2)], []))

    assert lines.count("#EXT-X-DISCONTINUITY") == 1
    assert lines[-5].startswith("# not played (its format cannot follow a file with an init section): ")
    assert lines[-1] == "gap.ts"


def test_a_derivative_is_loaded_in_its_place_piece_by_piece_and_has_a_clock_of_its_own() -> None:
    def source(item: Placed) -> Loaded:
        pieces = (
            Piece(offset=800, size_bytes=4000, micros=6_000_000),
            Piece(offset=4800, size_bytes=200, micros=4_000_000),
        )
        return Loaded(f"https://store/{item.start}", 5000, init_bytes=800, derived=True, pieces=pieces)

    lines = body(playlist([placed(0), placed(1)], [], source))

    assert lines.count("#EXT-X-DISCONTINUITY") == 1
    assert lines[0] == f'#EXT-X-MAP:URI="https://store/{placed(0).start}",BYTERANGE="800@0"'
    uri = f"https://store/{placed(1).start}"
    assert lines[-6:] == [
        "#EXTINF:6.000000,",
        "#EXT-X-BYTERANGE:4000@800",
        uri,
        "#EXTINF:4.000000,",
        "#EXT-X-BYTERANGE:200@4800",
        uri,
    ]


@pytest.mark.parametrize(
    ("media", "reason"),
    [
        (facts(video(PTS0)), None),
        (facts(audio(PTS0)), None),
        (facts(), "no stream with usable timestamps"),
        (facts(video(PTS0), container="matroska"), "container matroska: needs a derived file"),
        (MediaFacts(media="photo", container="jpeg", reader="pyav"), "photo: not timed media"),
        (MediaFacts(media="unreadable", container="", reader="pyav"), "unreadable: not timed media"),
    ],
)
def test_each_original_is_playable_or_says_why_not(media: MediaFacts, reason: str | None) -> None:
    assert unplayable(media) == reason


def test_a_file_that_nothing_places_has_no_date() -> None:
    lines = body(playlist([placed(0), placed(1, start=None, end=None)], []))

    assert sum(line.startswith("#EXT-X-PROGRAM-DATE-TIME") for line in lines) == 1


def test_a_recording_with_nothing_to_play_is_a_valid_playlist() -> None:
    text = playlist([], [])

    assert body(text) == []
    assert "#EXT-X-TARGETDURATION:1\n" in text
