"""Lists as recorders write them, as the format has them, and as nobody should."""

from __future__ import annotations

import time
from datetime import UTC
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.hls_claims import MAX_ENTRIES, Length, Playlist, inside, read
from pipeline.domain.playlist import Placed, playlist
from pipeline.domain.time import MAX_WALL_MS, ClaimedTime, WallMs, from_rfc3339
from tests.builders import T0, probed

SHANGHAI = ZoneInfo("Asia/Shanghai")
EIGHT = from_rfc3339("2026-11-24T08:00:00.000Z")


def listed(*lines: str, end: str = "\n") -> Playlist:
    return read(end.join(["#EXTM3U", *lines, ""]).encode(), SHANGHAI)


def says(offset_ms: int, error_ms: int) -> ClaimedTime:
    return ClaimedTime(at=WallMs(EIGHT + offset_ms), origin="playlist", error_ms=error_ms)


def test_order_numbers_lengths_and_times_are_the_lists_own() -> None:
    found = listed(
        "#EXT-X-VERSION:7",
        "#EXT-X-MEDIA-SEQUENCE:41",
        '#EXT-X-MAP:URI="init,1.mp4",BYTERANGE="720@0"',
        "#EXTINF:2.000000,a title, with commas",
        "#EXT-X-PROGRAM-DATE-TIME:2026-11-24T08:00:00.250+0000",
        "one.m4s",
        "#EXTINF:2",
        "two.m4s",
        "#EXT-X-ENDLIST",
    )

    one, two = found.entries
    assert [(e.uri, e.number, e.length, e.init) for e in (one, two)] == [
        ("one.m4s", 41, Length(2_000_000, 0), "init,1.mp4"),
        ("two.m4s", 42, Length(2_000_000, 500_000), "init,1.mp4"),
    ]
    assert (one.starts, two.starts) == (says(250, 1), says(2250, 1))
    assert (found.ended, found.faults) == (True, ())


@pytest.mark.parametrize("end", ["\n", "\r\n", "\n\n  \n"])
def test_line_ends_marks_comments_and_unknown_tags_change_nothing(end: str) -> None:
    plain = listed("#EXTINF:2,", "a.ts")

    noisy = read(end.join(["\ufeff#EXTM3U", "# said", "#EXT-X-NEW:1", "#EXTINF:2,", "a.ts"]).encode(), SHANGHAI)

    assert noisy == plain


@pytest.mark.parametrize(
    ("written", "claimed"),
    [
        ("2026-11-24T08:00:00.123Z", says(123, 1)),
        ("2026-11-24T16:00:00.123+08:00", says(123, 1)),
        ("2026-11-24T16:00:00+0800", says(0, 1000)),
        ("2026-11-24T16:00:00.1", says(100, 100)),
        ("2026-11-24t16:00:00", says(0, 1000)),
        ("2026-11-24T08:00:00.123456789Z", says(123, 1)),
        ("2026-02-30T08:00:00Z", None),
        ("2026-11-24T08:00:60Z", None),
        ("0001-01-01T00:00:00", None),
        ("1969-12-31T23:59:59Z", None),
        ("2026-11-24T08:00:00+99:00", None),
        ("yesterday", None),
    ],
)
def test_a_time_without_an_offset_is_the_sites(written: str, claimed: ClaimedTime | None) -> None:
    found = listed(f"#EXT-X-PROGRAM-DATE-TIME:{written}", "#EXTINF:2,", "a.ts")

    assert (found.entries[0].starts, bool(found.faults)) == (claimed, claimed is None)


@pytest.mark.parametrize(("decimals", "errors"), [("", (500, 1000)), (".0", (50, 100)), (".000", (1, 1))])
def test_the_error_bar_grows_with_the_rounding_of_the_lengths(decimals: str, errors: tuple[int, int]) -> None:
    date = "#EXT-X-PROGRAM-DATE-TIME:2026-11-24T08:00:00.000Z"

    found = listed(date, *[f"#EXTINF:2{decimals},", "a.ts"] * 3)

    bars = [entry.starts.error_ms - 1 for entry in found.entries[1:] if entry.starts]
    assert tuple(bars) == errors


def test_entries_before_the_first_time_and_beside_a_discontinuity() -> None:
    found = listed(
        "#EXTINF:2.0,", "before.ts",
        "#EXT-X-PROGRAM-DATE-TIME:2026-11-24T08:00:02.000Z", "#EXTINF:2.0,", "dated.ts",
        "#EXT-X-DISCONTINUITY", "#EXTINF:2.0,", "guessed.ts",
        "#EXT-X-DISCONTINUITY", "#EXT-X-PROGRAM-DATE-TIME:2026-11-24T09:00:00.000Z", "#EXTINF:2.0,", "later.ts",
    )  # fmt: skip

    starts = [entry.starts and entry.starts.at - EIGHT for entry in found.entries]
    assert starts == [0, 2000, 4000, 3_600_000]
    assert [entry.guessed for entry in found.entries] == [False, False, True, False]
    assert [entry.announced for entry in found.entries] == [False, False, True, True]


def test_gaps_parts_and_keys_are_of_the_entries_they_stand_before() -> None:
    found = listed(
        "#EXT-X-GAP", "#EXTINF:4,", "gone.ts",
        "#EXT-X-BYTERANGE:100@0", "#EXTINF:4,", "whole.ts",
        '#EXT-X-KEY:METHOD=AES-128,URI="https://keys/1"', "#EXTINF:4,", "secret.ts",
        "#EXT-X-KEY:METHOD=SAMPLE-AES", "#EXTINF:4,", "readable.ts",
        "#EXT-X-KEY:METHOD=NONE", "#EXTINF:4,", "clear.ts",
    )  # fmt: skip

    assert [(entry.gap, entry.ranged, entry.cipher) for entry in found.entries] == [
        (True, False, None),
        (False, True, None),
        (False, False, "AES-128"),
        (False, False, None),
        (False, False, None),
    ]


def test_a_master_playlist_names_its_lists_and_no_files() -> None:
    found = listed(
        '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",URI="sound.m3u8"',
        '#EXT-X-STREAM-INF:BANDWIDTH=1,CODECS="avc1.4d401f,mp4a.40.2"', "low.m3u8",
        "#EXT-X-STREAM-INF:BANDWIDTH=2", "high.m3u8",
    )  # fmt: skip

    assert (found.variants, found.entries) == (("sound.m3u8", "low.m3u8", "high.m3u8"), ())


def test_what_is_not_as_the_format_has_it_is_named_with_its_line() -> None:
    found = listed("#EXTINF:two,", "a.ts", "b.ts", "#EXT-X-MEDIA-SEQUENCE:7", "x" * 20_000, *["c.ts"] * 5)

    assert found.faults == (
        "line 2: expected a length in seconds, found two,",
        "line 4: expected a length (EXTINF) before every name, found none",
        "line 5: expected a number before the first entry, found 7",
        "line 6: expected at most 16384 characters, found 20000; passed over",
        "line 7: expected a length (EXTINF) before every name, found none",
        "and 4 more",
    )
    assert [entry.number for entry in found.entries] == list(range(7))


@pytest.mark.parametrize(
    "data", [b"", b"a.ts\nb.ts\n", b"\x00\x01", "#EXTM3U".encode("utf-16"), b"ffconcat version 1.0"]
)
def test_what_is_no_list_says_so(data: bytes) -> None:
    found = read(data, UTC)

    assert (found.entries, len(found.faults)) == ((), 1)
    assert found.faults[0].startswith("line 1: expected #EXTM3U")


@pytest.mark.parametrize(
    ("uri", "paths"),
    [
        ("a.ts", ("a.ts",)),
        ("day/./hall//a.ts", ("day/hall/a.ts",)),
        ("day/../a.ts", ("a.ts",)),
        ("a%20b.ts?token=1#t", ("a%20b.ts?token=1#t", "a b.ts")),
        ("厅.ts", ("厅.ts",)),
        ("10:00.ts", ("10:00.ts",)),
        ("../a.ts", ()),
        ("day/../../a.ts", ()),
        ("%2e%2e/a.ts", ()),
        ("%2Fetc/passwd", ()),
        ("/etc/passwd", ()),
        ("\\\\server\\a.ts", ()),
        ("C:\\a.ts", ()),
        ("a%00.ts", ()),
        ("file:/etc/passwd", ()),
        ("http://host/a.ts", ()),
        ("data:video/mp2t;base64,AAAA", ()),
        (".", ()),
    ],
)
def test_only_names_inside_the_lists_folder_are_files(uri: str, paths: tuple[str, ...]) -> None:
    assert inside(uri) == paths


def test_bytes_that_are_no_text_stay_the_name_they_are_on_the_disc() -> None:
    (entry,) = read(b"#EXTM3U\n#EXTINF:1,\n\xcc\xfc.ts\n", UTC).entries

    assert inside(entry.uri)[0].encode("utf-8", "surrogateescape") == b"\xcc\xfc.ts"


def test_the_playlist_of_our_own_archive_is_read() -> None:
    one, two = probed(0), probed(1)
    places = [
        Placed(original=item.landed.object, facts=item.facts, start=WallMs(at), end=WallMs(at + 10_000))
        for item, at in ((one, T0), (two, T0 + 10_000))
    ]

    found = read(playlist(places, []).encode(), UTC)

    assert [entry.starts and entry.starts.at for entry in found.entries] == [T0, T0 + 10_000]
    assert [inside(entry.uri) for entry in found.entries] == [(), ()]
    assert (found.ended, found.faults) == (True, ())


@given(st.lists(st.sampled_from(
    ["#EXTINF:1,", "#EXTINF:-1", "a.ts", "#EXT-X-GAP", "#EXT-X-DISCONTINUITY", "#EXT-X-MAP:URI=", '#EXT-X-MAP:URI="',
     "#EXT-X-PROGRAM-DATE-TIME:1970-01-01T00:00:00Z", "#EXT-X-PROGRAM-DATE-TIME:9999-12-31T23:59:59.999Z",
     "#EXT-X-SKIP:SKIPPED-SEGMENTS=9007199254740992", "#EXT-X-KEY:METHOD", "#EXT-X-STREAM-INF:", "#EXT", "#"]
) | st.text()))  # fmt: skip
def test_no_list_is_too_odd(lines: list[str]) -> None:
    found = read("\n".join(["#EXTM3U", *lines]).encode("utf-8", "surrogatepass"), SHANGHAI)

    assert all(0 <= entry.starts.at <= MAX_WALL_MS for entry in found.entries if entry.starts)


@pytest.mark.parametrize(
    "data",
    [
        b"#EXTM3U\n" + b"#EXTINF:2.000,\nseg.ts\n" * 1_000_000,
        b"#EXTM3U\n#EXT-X-MAP:" + b"A" * 10_000_000,
        b"#EXTM3U\n" + (b"#EXT-X-MAP:" + b'A="' * 4000 + b"\n") * 500,
        b"#EXTM3U\n" + b"\n" * 2_000_000,
    ],
    ids=["a million entries", "a line of 10 MB", "attributes without an end", "two million empty lines"],
)
def test_a_hostile_list_takes_time_in_proportion(data: bytes) -> None:
    begun = time.process_time()

    found = read(data, UTC)

    assert time.process_time() - begun < 10
    assert len(found.entries) in (0, MAX_ENTRIES)
