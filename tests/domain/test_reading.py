"""Reading: where in a file's time something lies."""

from __future__ import annotations

import pytest

from pipeline.domain.reading import FileReading, StreamReading
from tests.builders_reading import frames, sound, stream


def reading(*streams: StreamReading) -> FileReading:
    return FileReading(container="mpegts", reader="test", streams=streams)


def test_media_time_begins_with_the_first_sample_of_sound_or_picture() -> None:
    earlier = stream(frames(9, start=900), index=2, kind="other")

    assert reading(earlier, stream(frames(9, start=90_000)), sound(frames(9, start=45_000))).zero_ms == 500


def test_a_file_without_times_begins_at_nothing() -> None:
    assert reading(stream([])).zero_ms == 0


def test_a_place_is_told_from_the_first_sample_on_the_streams_own_clock() -> None:
    late, apart = sound(frames(9, start=45_000)), stream(frames(9), index=2, clock=1)

    file = reading(stream(frames(9, start=9_000)), late, apart)

    assert (file.place_ms(1, 90_000), file.place_ms(2, 90_000)) == (1400, 1000)


@pytest.mark.parametrize(("index", "after_ticks"), [(None, 90), (7, 90), (0, None)])
def test_what_names_no_place_has_none(index: int | None, after_ticks: int | None) -> None:
    assert reading(stream(frames(9))).place_ms(index, after_ticks) is None
