"""A canary's name says when it set out, and its bytes are its own."""

from __future__ import annotations

import hashlib
import io
import wave

import pytest

from pipeline.domain.canary import beat_at, beat_file, beat_id
from pipeline.domain.time import WallMs
from tests.builders import T0


def test_the_name_says_when_it_set_out_to_the_second() -> None:
    assert beat_id(WallMs(T0 + 999)) == "canary-20261124T080000Z"
    assert beat_at(beat_id(WallMs(T0 + 999))) == T0


@pytest.mark.parametrize(
    "name", ["hall-1-20261124T080000Z", "canary-20261324T080000Z", "canary-20261124T080000Z\n", ""]
)
def test_another_name_says_nothing(name: str) -> None:
    assert beat_at(name) is None


def test_a_canary_is_a_second_of_sound_as_any_reader_understands_it() -> None:
    with wave.open(io.BytesIO(beat_file(T0))) as sound:
        found = (sound.getnchannels(), sound.getsampwidth(), sound.getframerate(), sound.getnframes())

    assert found == (1, 1, 8000, 8000)


def test_canaries_have_bytes_of_their_own_and_one_has_the_same_every_time() -> None:
    digests = [hashlib.sha256(beat_file(WallMs(T0 + seconds * 1000))).hexdigest() for seconds in (0, 0, 1)]

    assert digests[0] == digests[1] != digests[2]
