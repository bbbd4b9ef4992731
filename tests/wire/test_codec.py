"""What the codec refuses, with the place and both sides, and what it lets pass."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.errors import Malformed, UnsupportedVersion
from pipeline.domain.quarantine import Quarantined
from pipeline.domain.time import MAX_WALL_MS, Nanos, WallMs
from pipeline.wire import codec, topics
from pipeline.wire.events import TYPES, Headers
from tests.builders import T0, annotation, landed, mtxi, probed

TOPIC = "segment.landed.v1"
GOOD = codec.encode(landed())


def changed(**fields: Any) -> bytes:
    return json.dumps({**json.loads(GOOD), **fields}).encode()


def with_field(raw: bytes) -> bytes:
    """The good message with one further member, written as it stands."""
    return GOOD[:-1] + b"," + raw + b"}"


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (None, "null value: expected a segment.landed.v1 as a JSON object, found a tombstone"),
        (b"", "segment.landed.v1: expected one JSON object, found bytes that are none"),
        (b"[]", "segment.landed.v1 at $: expected `object`, found `array`"),
        (b"{}", "segment.landed.v1 at $: object missing required field `connector`"),
        (GOOD + b"x", "found bytes that are none"),
        (GOOD[:-1], "found bytes that are none"),
        (b"\xff\xfe{}", "segment.landed.v1: expected UTF-8, found byte 0xff at byte 0"),
        (with_field(b'"note":"\xff"'), "expected UTF-8, found byte 0xff"),
        (with_field(b'"note":"\\ud800"'), "found bytes that are none"),
        (with_field(b'"note":NaN'), "found bytes that are none"),
        (changed(announcement="1"), "at $.announcement: expected `int`, found `str`"),
        (changed(announcement=True), "at $.announcement: expected `int`, found `bool`"),
        (changed(announcement=1.0), "at $.announcement: expected `int`, found `float`"),
        (changed(announcement=0), "at $: announcements count from 1, found 0"),
        (changed(source_id="hall 1"), "found 'hall 1'"),
        (changed(ends="never"), "at $.ends: expected one of declared, next_block, idle, found 'never'"),
        (changed(received_at="today"), "at $.received_at: expected UTC like 2026-11-24T08:00:00.000Z, found 'today'"),
        (changed(received_at=0), "at $.received_at: expected a string for WallMs, found 0"),
        (
            changed(claimed_start={"at": "2026-11-24T08:00:00.000Z", "origin": "guess", "error_ms": 1}),
            "at $.claimed_start.origin: expected one of file_name, container",
        ),
    ],
)  # fmt: skip
def test_bad_bytes_are_refused_with_place_and_both_sides(value: bytes | None, says: str) -> None:
    with pytest.raises(Malformed) as refused:
        codec.decode(TOPIC, value)

    assert says in str(refused.value)
    assert not refused.value.retryable


def test_a_place_inside_a_list_is_named() -> None:
    value = json.loads(codec.encode(mtxi()))
    value["facts"]["streams"][0]["kind"] = "smell"

    with pytest.raises(Malformed, match=r"at \$\.facts\.streams\[0\]\.kind: expected one of video, audio, other"):
        codec.decode("segment.probed.v1", json.dumps(value).encode())


@given(st.sampled_from(sorted(TYPES)), st.binary(max_size=60), st.integers(0, len(GOOD)), st.integers(0, 8))
def test_any_bytes_are_an_event_or_malformed(topic: str, noise: bytes, at: int, cut: int) -> None:
    for value in (noise, GOOD[:at] + noise + GOOD[at + cut :]):
        try:
            event = codec.decode(topic, value)
        except Malformed:
            continue

        assert isinstance(event, TYPES[topic])


@pytest.mark.parametrize("depth", [500, 5_000, 200_000])
def test_deep_nesting_is_refused_or_read_and_never_overflows(depth: int) -> None:
    value = with_field(b'"note":' + b"[" * depth + b"1234567890123456" + b"]" * depth)

    if depth < 1000:
        assert codec.decode(TOPIC, value) == landed()
    else:
        with pytest.raises(Malformed, match="nested too deep"):
            codec.decode(TOPIC, value)


@pytest.mark.parametrize(("more", "fits"), [(-1, True), (0, True), (1, False)])
def test_a_message_may_weigh_a_mebibyte(more: int, fits: bool) -> None:
    value = GOOD[:-1] + b" " * (topics.LANDED.max_value_bytes - len(GOOD) + more) + b"}"

    if fits:
        assert codec.decode(TOPIC, value) == landed()
    else:
        with pytest.raises(Malformed, match="expected at most 1048576 bytes, found 1048577"):
            codec.decode(TOPIC, value)


@pytest.mark.parametrize(("number", "fits"), [(2**53 - 2, True), (2**53 - 1, True), (2**53, False), (10**400, False)])
@pytest.mark.parametrize("sign", [1, -1])
def test_integers_end_where_other_readers_stop_being_exact(number: int, sign: int, fits: bool) -> None:
    value = changed(sequence=sign * number)

    if fits:
        assert codec.decode(TOPIC, value).sequence == sign * number
    else:
        with pytest.raises(Malformed):
            codec.decode(TOPIC, value)


def test_sixteen_digits_in_a_name_are_no_number() -> None:
    event = landed(original_name="9999999999999999999.ts")

    assert codec.decode(TOPIC, codec.encode(event)) == event


@pytest.mark.parametrize(
    "event",
    [
        landed(original_name="\udcff.ts"),
        landed(sequence=2**53),
        landed(received_at=WallMs(-1)),
        landed(received_at=WallMs(MAX_WALL_MS + 1)),
        landed(original_name="x" * topics.LANDED.max_value_bytes),
    ],
    ids=["undecodable name", "huge integer", "before 1970", "after 9999", "too heavy"],
)
def test_what_would_not_come_back_is_not_written(event: Any) -> None:
    with pytest.raises(Malformed, match=r"segment\.landed\.v1"):
        codec.encode(event)


def test_the_last_of_two_equal_names_counts_as_for_every_json_reader() -> None:
    value = with_field(b'"connector":"second"')

    assert codec.decode(TOPIC, value).connector == "second" == json.loads(value)["connector"]


def test_another_version_of_the_same_event_is_told_from_nonsense() -> None:
    with pytest.raises(UnsupportedVersion, match=r"expected ce_type unbroken\.segment\.landed\.v1, found .*\.v2"):
        codec.decode(TOPIC, GOOD, (("ce_type", b"unbroken.segment.landed.v2"),))
    with pytest.raises(Malformed, match="expected ce_type") as refused:
        codec.decode(TOPIC, GOOD, (("ce_type", b"unbroken.annotation.made.v1"),))

    assert not isinstance(refused.value, UnsupportedVersion)


@pytest.mark.parametrize("headers", [(), (("ce_type", b"unbroken.segment.landed.v1"),), (("trace", b"\xff"),)])
def test_headers_are_optional(headers: Headers) -> None:
    assert codec.decode(TOPIC, GOOD, headers) == landed()


def test_bytes_are_the_same_wherever_they_are_made() -> None:
    digest = hashlib.sha256(codec.encode(mtxi(3))).hexdigest()

    assert digest == "588bd04619cd26a8d342a84d0acc27b24b02a4859f9c6a719ab8896cf145f84d"


def test_headers_say_who_what_and_which() -> None:
    made = dict(codec.headers(landed(connector="hall/1")))

    assert made == {
        "ce_specversion": b"1.0",
        "ce_id": b"4ab8e4007b1ea818b99ea0f9695837cd8c3463756235ac71e399ffb2dda0204d",
        "ce_source": b"/connectors/hall%2F1",
        "ce_type": b"unbroken.segment.landed.v1",
        "ce_dataschema": b"urn:unbroken:schema:segment.landed.v1",
        "content-type": b"application/json",
        "ce_time": b"2026-11-24T08:00:10.500Z",
    }


def test_a_repeated_event_has_the_same_id_and_another_event_another() -> None:
    ids = [dict(codec.headers(event))["ce_id"] for event in (landed(1), landed(1), landed(2), probed(1), probed(1))]

    assert [ids[0] == ids[1], ids[3] == ids[4], len(set(ids))] == [True, True, 3]


def test_every_event_is_keyed_by_its_source_and_a_quarantined_one_by_its_own_key() -> None:
    item = quarantined(b"{")

    assert [codec.key(landed()), codec.key(probed()), codec.key(annotation("a", "deadline_due"))] == [b"hall-1"] * 3
    assert [codec.key(item), codec.key(replace(item, key_base64=None))] == [b"hall-1", b""]


def quarantined(value: bytes) -> Quarantined:
    return Quarantined(
        stage="probe",
        topic="unbroken.segment.landed.v1",
        partition=1,
        offset=2,
        key_base64=base64.b64encode(b"hall-1").decode(),
        value_base64=base64.b64encode(value).decode(),
        reason="malformed",
        detail="",
        at=T0,
    )


def test_a_quarantined_input_keeps_its_bytes_and_headers_whatever_they_are() -> None:
    item = quarantined(b"\xff" * topics.LANDED.max_value_bytes)

    value = codec.encode_quarantined(item, (("ce_type", b"\x00\xff"), ("ce_type", b"")))

    kept = codec.decode("quarantine.v1", value)
    assert base64.b64decode(kept.value_base64) == b"\xff" * topics.LANDED.max_value_bytes
    assert [(name, base64.b64decode(raw)) for name, raw in kept.headers_base64] == [
        ("ce_type", b"\x00\xff"),
        ("ce_type", b""),
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """A stage state with everything one may hold."""

    seen: dict[str, int]
    last: WallMs | None
    count_ns: Nanos
    open: tuple[Any, ...] = ()


def test_a_state_comes_back_as_it_was_dumped() -> None:
    state = Memory(seen={"folder": 7}, last=T0, count_ns=Nanos(2**60))

    raw = json.loads(json.dumps(codec.dump_state(state)))

    assert raw["last"] == "2026-11-24T08:00:00.000Z"
    assert codec.load_state(Memory, raw) == state


def test_a_state_written_before_a_field_existed_is_read_and_a_broken_one_is_named() -> None:
    older: dict[str, Any] = {"seen": {}, "last": None, "count_ns": "1"}

    assert codec.load_state(Memory, older).open == ()
    with pytest.raises(Malformed, match=r"state Memory at \$\.last: expected UTC like"):
        codec.load_state(Memory, {**older, "last": "soon"})
