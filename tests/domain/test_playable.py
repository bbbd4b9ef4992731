"""An original is shown from its own bytes where that works, from a derived copy where only the packaging is in the way."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pipeline.domain.playable import Playability, playability
from pipeline.domain.probe import MediaFacts, StreamFacts
from tests.builders import PTS0, audio, facts, video


def coded(stream: StreamFacts, codec: str) -> StreamFacts:
    return replace(stream, codec=codec)


PICTURE, SOUND = video(PTS0), audio(PTS0)
FRAGMENTED = {"container": "fmp4", "init_bytes": 700}


@pytest.mark.parametrize(
    "media",
    [
        facts(PICTURE, SOUND),
        facts(coded(PICTURE, "hevc"), coded(SOUND, "mp3")),
        facts(PICTURE, SOUND, **FRAGMENTED),
        facts(coded(PICTURE, "av1"), coded(SOUND, "opus"), **FRAGMENTED),
        facts(SOUND, container="mp3"),
    ],
)
def test_what_players_unpack_themselves_is_played_in_place(media: MediaFacts) -> None:
    assert playability(media) == Playability("in_place")


@pytest.mark.parametrize(
    ("media", "why"),
    [
        (facts(PICTURE, SOUND, container="mp4"), "container mp4"),
        (facts(PICTURE, SOUND, container="mpegts-192"), "container mpegts-192"),
        (facts(PICTURE, SOUND, container="fmp4"), "container fmp4"),
        (facts(PICTURE, coded(SOUND, "ac3")), "ac3 in it"),
        (facts(PICTURE, coded(SOUND, "pcm_alaw"), container="matroska"), "container matroska"),
        (facts(PICTURE, coded(SOUND, "pcm_mulaw"), **FRAGMENTED), "pcm_mulaw in it"),
        (facts(SOUND, container="mp4"), "container mp4"),
        (facts(PICTURE, replace(SOUND, first_ticks=None), container="matroska"), "container matroska"),
    ],
)
def test_what_only_its_packaging_keeps_from_being_played_is_copied_into_another(media: MediaFacts, why: str) -> None:
    assert playability(media) == Playability("derived", why)


@pytest.mark.parametrize(
    ("media", "why"),
    [
        (facts(coded(PICTURE, "mjpeg"), SOUND, container="avi"), "no browser plays mjpeg, and an original is not encoded anew"),
        (facts(coded(PICTURE, "mpeg2video")), "no browser plays mpeg2video, and an original is not encoded anew"),
        (facts(coded(SOUND, "pcm_s16le"), container="wav"), "no browser plays pcm_s16le, and an original is not encoded anew"),
        (facts(), "no stream with usable timestamps"),
        (facts(replace(PICTURE, last_ticks=None), container="avi"), "no stream with usable timestamps"),
        (MediaFacts(media="photo", container="jpeg", reader="pyav"), "photo: not timed media"),
        (MediaFacts(media="unreadable", container="", reader="pyav"), "unreadable: not timed media"),
    ],
)  # fmt: skip
def test_what_no_browser_decodes_is_said_to_be_so_and_never_converted(media: MediaFacts, why: str) -> None:
    assert playability(media) == Playability("none", why)


def test_data_beside_the_picture_keeps_nothing_from_being_played() -> None:
    data = replace(PICTURE, index=2, kind="other", codec="unknown")

    assert playability(facts(PICTURE, data)).way == "in_place"
