from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.identity import (
    MAX_LABEL,
    SourceId,
    about_recording,
    block_recording_id,
    label,
    original_key,
    recording_id,
    sha256,
    source_id,
)
from pipeline.domain.time import WallMs, from_rfc3339


@pytest.mark.parametrize("text", ["a", "7", "hall-1", "Cam_2.left", "a" * 95, "a" * 96])
def test_small_names_of_safe_letters_are_ids(text: str) -> None:
    assert (source_id(text), recording_id(text)) == (text, text)


@pytest.mark.parametrize("text", ["", "a" * 97, "-a", ".a", "_a", "a b", "a/b", "a\n", "大厅", "a\x00", "é"])
def test_an_id_that_would_need_quoting_somewhere_is_refused_by_its_name(text: str) -> None:
    with pytest.raises(ValueError, match="a source id is 1 to 96 letters"):
        source_id(text)
    with pytest.raises(ValueError, match="a recording id is 1 to 96 letters"):
        recording_id(text)


@pytest.mark.parametrize(("digits", "is_one"), [(63, False), (64, True), (65, False)])
def test_a_digest_has_64_digits(digits: int, is_one: bool) -> None:
    if is_one:
        assert sha256("0" * digits) == "0" * 64
    else:
        with pytest.raises(ValueError, match="expected 64 lower-case hex digits"):
            sha256("0" * digits)


@pytest.mark.parametrize("text", ["A" * 64, "g" * 64, "0" * 64 + "\n", "٠" * 64])
def test_a_digest_has_one_spelling(text: str) -> None:
    with pytest.raises(ValueError, match="expected 64 lower-case hex digits"):
        sha256(text)


@pytest.mark.parametrize(("length", "fits"), [(0, False), (1, True), (MAX_LABEL, True), (MAX_LABEL + 1, False)])
def test_a_label_is_short_and_not_empty(length: int, fits: bool) -> None:
    text = "室" * length

    if fits:
        assert label(text, "unit") == text
    else:
        with pytest.raises(ValueError, match=f"a unit is 1 to 200 characters .* found {length}"):
            label(text, "unit")


@pytest.mark.parametrize("character", ["\x00", "\n", "\x1f", "\x7f"])
def test_a_label_has_no_control_characters(character: str) -> None:
    with pytest.raises(ValueError, match="without control characters"):
        label(f"a{character}", "unit")


@pytest.mark.parametrize(("source", "unit", "recording"), [("a b", "u", "r"), ("s", "", "r"), ("s", "u", "r/1")])
def test_each_of_the_three_names_of_a_statement_is_checked(source: str, unit: str, recording: str) -> None:
    about_recording("s", "u", "r")

    with pytest.raises(ValueError, match=r"a (source id|unit|recording id) is"):
        about_recording(source, unit, recording)


@pytest.mark.parametrize(
    ("at", "block"),
    [
        ("2026-11-24T08:59:59.999Z", "hall-1-20261124T080000Z"),
        ("2026-11-24T09:00:00.000Z", "hall-1-20261124T090000Z"),
        ("2026-11-24T09:00:00.001Z", "hall-1-20261124T090000Z"),
    ],
)
def test_a_cameras_block_is_named_by_its_utc_start(at: str, block: str) -> None:
    assert block_recording_id(SourceId("hall-1"), from_rfc3339(at), 3600) == block


@given(st.integers(0, 4 * 10**12), st.sampled_from([60, 120, 3600, 86400]))
def test_all_instants_of_a_block_have_its_name(at: int, block_s: int) -> None:
    start = at - at % (block_s * 1000)

    first, last = (
        block_recording_id(SourceId("c"), WallMs(each), block_s) for each in (start, start + block_s * 1000 - 1)
    )

    assert first == last == block_recording_id(SourceId("c"), WallMs(at), block_s)


@pytest.mark.parametrize(
    ("name", "suffix"),
    [
        ("a.ts", "ts"),
        ("大厅 1.MP4", "mp4"),
        ("a.tar.gz", "gz"),
        ("none", "bin"),
        (".", "bin"),
        ("a.12345678", "12345678"),
        ("a.123456789", "bin"),
        ("a.t s", "bin"),
        ("a./etc", "bin"),
        ("a.ts\n", "bin"),
        ("a.视频", "bin"),
    ],
)
def test_an_originals_key_follows_from_its_bytes_and_keeps_a_plain_extension(name: str, suffix: str) -> None:
    digest = sha256("ab" + "0" * 62)

    assert original_key(digest, name) == f"sha256/ab/{digest}.{suffix}"
