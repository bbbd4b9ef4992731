"""A viewing has a purpose and a record; what a player cannot go on with begins anew; gaps keep their time."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from pipeline.domain.canonical import canonical
from pipeline.domain.playlist import Loaded, Placed, laid_out
from pipeline.domain.time import WallMs
from pipeline.domain.viewing import (
    WHOLE_BYTES,
    Shown,
    Span,
    View,
    is_view_key,
    parts,
    view_document,
    view_key,
    ways,
)
from tests.builders import PTS0, RECORDING, SOURCE, T0, audio, facts, sha, video
from tests.builders_archive import gap, placed
from tests.wire.contract import validator


def view(**changes: Any) -> View:
    made = View(
        recording_id=RECORDING,
        source_id=SOURCE,
        revision=1,
        manifest_sha256=sha("manifest"),
        purpose="review",
        by="officer 7",
        made_at=T0,
        until=WallMs(T0 + 3600_000),
        shown=(Shown(sha256=sha("original"), way="in_place"),),
    )
    return replace(made, **changes)


def test_the_record_says_who_looked_at_what_and_what_for() -> None:
    data = view_document(view())

    value = json.loads(data)
    assert canonical(value) == data
    assert [error.message for error in validator("view.v1").iter_errors(value)] == []
    assert (value["purpose"], value["by"], value["until"]) == ("review", "officer 7", "2026-11-24T09:00:00.000Z")


@pytest.mark.parametrize("changes", [{"purpose": ""}, {"by": ""}, {"until": T0}])
def test_there_is_no_viewing_without_purpose_viewer_or_end(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"purpose|viewer|ends"):
        view(**changes)


def test_records_of_viewings_are_told_from_other_objects() -> None:
    key = view_key(view(), sha("record"))

    assert key == f"views/2026-11-24T08-00-00.000Z-{sha('record')[:8]}.json"
    assert [is_view_key(name) for name in (key, key + "x", "views/note.json", f"recordings/{key}")] == [True, False, False, False]  # fmt: skip


@pytest.mark.parametrize(
    ("size_bytes", "way"), [(WHOLE_BYTES - 1, "in_place"), (WHOLE_BYTES, "in_place"), (WHOLE_BYTES + 1, "derived")]
)
def test_a_file_that_fits_into_no_browser_at_once_is_shown_as_a_copy_in_pieces(size_bytes: int, way: str) -> None:
    item = placed(0)
    item = replace(item, original=replace(item.original, size_bytes=size_bytes))

    assert ways([item])[item.original.sha256].way == way


FRAGMENTED = facts(video(PTS0), container="fmp4", init_bytes=700)


@pytest.mark.parametrize(
    ("media", "count"),
    [
        pytest.param([facts(video(PTS0)), facts(video(PTS0))], 1, id="all alike"),
        pytest.param([facts(video(PTS0)), FRAGMENTED], 2, id="other packaging"),
        pytest.param([facts(video(PTS0)), facts(video(PTS0), audio(PTS0))], 2, id="sound begins"),
        pytest.param([FRAGMENTED, facts(video(PTS0)), FRAGMENTED], 3, id="there and back"),
    ],
)
def test_a_player_begins_anew_where_packaging_or_streams_change(media: list[Any], count: int) -> None:
    items = [placed(number, found) for number, found in enumerate(media)]

    found, _, seconds = parts(laid_out(items, []), [])

    assert len(found) == count
    assert (found[-1].at_s, seconds) == ((len(media) - 1) * 10 if count > 1 else 0, len(media) * 10)


def test_gaps_between_files_and_within_them_have_their_place_in_the_pages_time() -> None:
    between, within = gap(10_000, 30_000), gap(32_000, 35_000)
    items = [placed(0), placed(3)]

    found, spans, seconds = parts(laid_out(items, [between, within]), [between, within])

    assert spans == [
        Span(0, 10, items[0]),
        Span(10, 20, between),
        Span(30, 10, items[1]),
        Span(32, 3, within, within=True),
    ]
    assert ([part.at_s for part in found], len(found[0].slots), seconds) == ([0], 3, 40)


def test_a_gap_at_an_end_or_between_parts_is_in_no_part() -> None:
    def source(item: Placed) -> Loaded:
        return Loaded(f"{item.start}", 1000, streams=("h264",) if item.start == T0 else ("h264", "aac"))

    gaps = [gap(-5000, 0), gap(10_000, 30_000), gap(40_000, 45_000)]

    found, spans, seconds = parts(laid_out([placed(0), placed(3)], gaps, source), gaps)

    assert [(part.at_s, len(part.slots)) for part in found] == [(5, 1), (35, 1)]
    assert [span.at_s for span in spans] == [0, 5, 15, 35, 45]
    assert seconds == 50


def test_a_file_that_is_not_played_keeps_its_time_and_says_why() -> None:
    items = [placed(0), placed(1, facts(replace(video(PTS0), codec="mjpeg"), container="avi")), placed(2)]

    found, spans, seconds = parts(laid_out(items, []), [])

    assert spans[1] == Span(10, 10, items[1], why="no browser plays mjpeg, and an original is not encoded anew")
    assert ([len(part.slots) for part in found], seconds) == ([3], 30)
