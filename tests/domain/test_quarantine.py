from __future__ import annotations

import pytest

from pipeline.domain.quarantine import Quarantined
from tests.builders import T0


def quarantined(partition: int = 0, offset: int = 0) -> Quarantined:
    return Quarantined(
        stage="probe",
        topic="unbroken.segment.landed.v1",
        partition=partition,
        offset=offset,
        key_base64=None,
        value_base64=None,
        reason="malformed",
        detail="null value",
        at=T0,
    )


@pytest.mark.parametrize(
    ("partition", "offset", "exists"), [(-1, 0, False), (0, -1, False), (0, 0, True), (1, 1, True)]
)
def test_an_input_set_aside_says_a_place_that_exists(partition: int, offset: int, exists: bool) -> None:
    if exists:
        assert quarantined(partition, offset).offset == offset
    else:
        with pytest.raises(ValueError, match="partition and offset count from 0"):
            quarantined(partition, offset)


def test_an_input_without_key_value_and_headers_can_be_set_aside() -> None:
    assert (quarantined().key_base64, quarantined().value_base64, quarantined().headers_base64) == (None, None, ())
