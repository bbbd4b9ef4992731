"""Chain: published vectors, links in order of receipt, and no change of them unseen."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.domain.canonical import Json, digest, plain
from pipeline.domain.chain import ChainState, LinkAppended, genesis_hash, link_hash, step, verify
from pipeline.domain.continuity import Judged, SourceState
from pipeline.domain.continuity import step as judge
from pipeline.domain.errors import HistoryMissing
from pipeline.domain.identity import RecordingId, Sha256
from pipeline.wire import codec, topics
from tests.builders import SALT_KEY, explanation, metadata, policy, probed, session_ended, sha

POLICY = policy()
GENESIS = "f1fb2e5643c259cfbc7d32e50ee874d2ea54583117c4ffb8966cae4d8f724520"
LINK_0 = "acbac40e935d4b09e1faa1107b5b8ba58f4f3ac058209bab54b471cd076c3e9f"
LINK_1 = "09d42845d11f464c4fa940094dd0aa32c5cd3785628ff46162e61f4e757e7b47"


def judged(*events: object) -> list[Judged]:
    state = SourceState()
    items: list[Judged] = []
    for event in events:
        state, more = judge(state, event, POLICY)  # type: ignore[arg-type]  # segments and annotations
        items += more
    return items


def linked(items: list[Judged], state: ChainState | None = None) -> list[LinkAppended]:
    state = state or ChainState()
    links: list[LinkAppended] = []
    for item in items:
        state, more = step(state, item, SALT_KEY)
        links += more
    return links


def session() -> list[Judged]:
    """Two files with one missing between them, explained, its case named, ended; then the missing one, and ended again."""
    return judged(
        probed(0),
        probed(2, announcement=2),
        explanation(10_000, 20_000),
        metadata(),
        session_ended(expected=2),
        probed(1, announcement=3),
        session_ended("end-2", expected=3),
    )


LINKS = tuple(linked(session()))


def record(link: LinkAppended) -> dict[str, object]:
    found: dict[str, object] = json.loads(link.record)
    return found


def test_a_genesis_hashes_to_the_published_value() -> None:
    beginning: Json = {
        "device_id": "BWC-001",
        "operator_id": "P-1001",
        "session_id": "S-1",
        "started_at": "2026-11-23T01:00:00.000Z",
        "stream_id": "BWC-001/main",
    }

    assert genesis_hash(beginning) == GENESIS


@pytest.mark.parametrize(("seq", "prev", "expected"), [(0, GENESIS, LINK_0), (1, LINK_0, LINK_1)])
def test_links_hash_to_the_published_values(seq: int, prev: str, expected: str) -> None:
    content: Json = {"length": 5, "sha256": sha(f"seg-{seq}")}

    assert link_hash({"content": content, "prev": prev, "seq": seq, "session_id": "S-1"}) == expected


def test_hashes_can_be_made_with_nothing_but_sha256() -> None:
    first, second = LINKS[:2]

    assert first.hash == hashlib.sha256(b"avchain/genesis/v1\x00" + first.record.encode()).hexdigest()
    assert second.hash == hashlib.sha256(b"avchain/segment/v1\x00" + second.record.encode()).hexdigest()


def test_links_follow_the_order_of_receipt_and_name_what_they_are() -> None:
    assert [link.kind for link in LINKS] == [
        "genesis", "segment", "segment", "explanation", "metadata", "gap", "close", "late", "close",
    ]  # fmt: skip
    assert [link.seq for link in LINKS] == list(range(-1, 8))


def test_a_segment_link_keeps_claim_and_observation_apart() -> None:
    said = record(LINKS[1])

    assert said["claimed"] == {
        "start": {"at": "2026-11-24T08:00:00.000Z", "origin": "file_name", "error_ms": 1000},
        "end": None,
        "clock_offset_ms": None,
        "sequence": None,
        "run": None,
    }
    assert (said["wall_start"], said["pts_first"], said["pts_end"]) == ("2026-11-24T08:00:00.000Z", 126_000, 1_026_000)
    assert (said["time_base"], said["announcement"], said["connector"]) == ("1/90000", 1, "folder")


def test_facts_and_account_hash_to_what_the_record_says_even_after_the_wire() -> None:
    read = [codec.decode(topics.LINK.name, codec.encode(link)) for link in LINKS]

    assert tuple(read) == LINKS
    assert record(read[1])["facts_sha256"] == digest(json.loads(codec.encode(LINKS[1]))["facts"])
    assert record(read[-1])["account_sha256"] == digest(plain(LINKS[-1].ended))


def test_a_close_link_totals_the_chain_before_it() -> None:
    first, last = record(LINKS[6]), record(LINKS[8])

    assert [first[name] for name in ("count", "bytes", "links", "revision", "verdict")] == [
        2,
        2000,
        5,
        1,
        "interrupted",
    ]
    assert [last[name] for name in ("count", "bytes", "links", "revision", "verdict")] == [3, 3000, 7, 2, "continuous"]


def test_the_next_recording_of_a_source_begins_from_the_last_close() -> None:
    other = RecordingId("hall-1-next")
    items = judged(
        probed(0), session_ended(), probed(1, recording_id=other), session_ended("end-2", recording_id=other)
    )

    links = linked(items)

    assert [record(link)["previous"] for link in links if link.kind == "genesis"] == [None, links[2].hash]


def test_a_judged_item_again_links_nothing() -> None:
    items = session()
    state = ChainState()
    for item in items:
        state, _ = step(state, item, SALT_KEY)

    again = [step(state, item, SALT_KEY) for item in items]

    assert again == [(state, ())] * len(items)


def test_a_missing_judged_item_stops_the_chain() -> None:
    first, _, third = session()[:3]
    state, _ = step(ChainState(), first, SALT_KEY)

    with pytest.raises(HistoryMissing, match="expected judged item 2, found 3"):
        step(state, third, SALT_KEY)


def test_a_chain_does_not_begin_with_anything_but_a_segment() -> None:
    _, second = judged(probed(0), session_ended())

    with pytest.raises(HistoryMissing, match="begins with a segment"):
        step(ChainState(position=1), second, SALT_KEY)


def test_a_state_written_and_read_again_goes_on_alike() -> None:
    state = ChainState()
    for item in session():
        state, _ = step(state, item, SALT_KEY)

    assert codec.load_state(ChainState, codec.dump_state(state)) == state


def test_a_whole_chain_has_no_fault() -> None:
    assert verify(LINKS) == ()
    assert verify(LINKS[:7]) == ()


def test_no_links_are_a_fault_too() -> None:
    assert [fault.expected for fault in verify([])] == ["a genesis"]


def test_every_fault_is_told_with_both_sides() -> None:
    forged = replace(LINKS[1], record=LINKS[1].record.replace('"length":1000', '"length":1001'))

    faults = verify([LINKS[0], forged, *LINKS[2:]])

    assert [(fault.check, fault.seq) for fault in faults] == [(4, 0), (7, 5), (7, 7)]
    assert faults[0].found == LINKS[1].hash


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_any_changed_character_is_found(data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(LINKS) - 1))
    text = LINKS[index].record
    at = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.characters(codec="utf-8").filter(lambda char: char != text[at]))
    forged = replace(LINKS[index], record=text[:at] + other + text[at + 1 :])

    assert verify([*LINKS[:index], forged, *LINKS[index + 1 :]]) != ()


@settings(max_examples=200, deadline=None)
@given(st.integers(0, len(LINKS) - 1), st.integers(0, 63), st.sampled_from("0123456789abcdef"))
def test_any_changed_hash_is_found(index: int, at: int, digit: str) -> None:
    old = LINKS[index].hash
    forged = replace(LINKS[index], hash=Sha256(old[:at] + digit + old[at + 1 :]))

    assert (verify([*LINKS[:index], forged, *LINKS[index + 1 :]]) != ()) == (forged.hash != old)


@pytest.mark.parametrize("index", range(len(LINKS)))
def test_a_link_taken_out_is_found_wherever_it_was(index: int) -> None:
    cut_to_an_earlier_close = index == len(LINKS) - 1

    faults = verify([*LINKS[:index], *LINKS[index + 1 :]])

    assert faults != ()
    assert not cut_to_an_earlier_close or [fault.check for fault in faults] == [8]


@settings(max_examples=100, deadline=None)
@given(st.permutations(range(len(LINKS))))
def test_any_other_order_is_found(order: list[int]) -> None:
    assert (verify([LINKS[index] for index in order]) != ()) == (order != sorted(order))


@pytest.mark.parametrize("length", [0, 1, 2, 5, 6, 8])
def test_a_chain_cut_off_before_a_close_is_found(length: int) -> None:
    assert verify(LINKS[:length]) != ()


def test_a_middle_taken_out_and_linked_anew_contradicts_the_close() -> None:
    kept = [item for item in session() if item.position != 2]
    renumbered = [replace(item, position=number) for number, item in enumerate(kept, start=1)]
    forged = linked(renumbered)
    honest_close = replace(forged[-1], record=LINKS[-1].record, hash=LINKS[-1].hash, ended=LINKS[-1].ended)

    assert verify([*forged[:-1], honest_close]) != ()


def test_facts_that_were_exchanged_are_found() -> None:
    other = probed(1).facts
    forged = replace(LINKS[1], facts=other)

    assert [fault.check for fault in verify([LINKS[0], forged, *LINKS[2:]])] == [6]


def test_an_account_that_was_exchanged_is_found() -> None:
    forged = replace(LINKS[-1], ended=LINKS[6].ended)

    assert [fault.check for fault in verify([*LINKS[:-1], forged])] == [6]
