"""Stitch follows each chain, and says of a recording what its links say: the same bytes for the same links."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import Any

import pytest

from pipeline.domain.canonical import digest
from pipeline.domain.chain import LinkAppended
from pipeline.domain.errors import HistoryMissing
from pipeline.domain.identity import RecordingId
from pipeline.domain.stitch import (
    DocumentName,
    StitchState,
    account_of,
    chain_of,
    documents,
    follow,
    originals_of,
    segments_of,
)
from tests.builders import photo, probed, sha
from tests.builders_archive import chained, ended, gap

SEGMENTS = [probed(number) for number in range(3)]
LINKS = chained(SEGMENTS, ended())
SOFTWARE = "unbroken 0.1.0"


def renamed(links: tuple[LinkAppended, ...], name: str) -> tuple[LinkAppended, ...]:
    return tuple(replace(link, recording_id=RecordingId(name)) for link in links)


def run(links: list[LinkAppended], remembered: int = 48) -> tuple[StitchState, list[int]]:
    """Follow *links* at offsets from 100 on; returns the state and what each close pointed back to."""
    state, found = StitchState(), []
    for offset, link in enumerate(links, start=100):
        state, first = follow(state, link, offset, remembered)
        found += [] if first is None else [first]
    return state, found


def parsed(links: tuple[LinkAppended, ...], name: DocumentName) -> Any:
    return json.loads(dict(documents(links, SOFTWARE))[name])


# -- following -----------------------------------------------------------------------------------------------------------


def test_a_close_points_back_to_where_its_chain_begins() -> None:
    other = renamed(LINKS, "hall-1-other")

    _, found = run([*other[:2], *LINKS, *other[2:]])

    assert found == [102, 100]


def test_a_reopened_recording_is_described_from_its_genesis_again() -> None:
    links = chained(SEGMENTS, ended(), ended(revision=2), late=1)

    _, found = run(list(links))

    assert found == [100, 100]


def test_a_repeat_changes_nothing() -> None:
    state, found = run([*LINKS])

    again, more = run([*LINKS, *LINKS])

    assert (again, more) == (state, found)


def test_a_new_genesis_of_the_same_recording_begins_a_new_chain() -> None:
    state, _ = run([*LINKS])

    fresh = replace(LINKS[0], hash=sha("another genesis"))
    state, _ = follow(state, fresh, 500, 48)

    assert state.chains[fresh.recording_id].first_offset == 500


@pytest.mark.parametrize("lost", range(len(LINKS) - 1))
def test_a_hole_in_the_links_is_lost_history(lost: int) -> None:
    with pytest.raises(HistoryMissing, match="links are missing"):
        run([link for index, link in enumerate(LINKS) if index != lost])


def test_open_chains_are_kept_and_closed_ones_up_to_a_bound() -> None:
    closed = [link for number in range(5) for link in renamed(LINKS, f"closed-{number}")]
    opened = [link for number in range(5) for link in renamed(LINKS[:2], f"open-{number}")]

    state, _ = run([*opened, *closed], remembered=2)

    assert sorted(state.chains) == ["closed-3", "closed-4", *(f"open-{number}" for number in range(5))]


def test_the_history_yields_one_chain_without_repeats_and_strangers() -> None:
    history = [*LINKS[:2], *renamed(LINKS, "other"), *LINKS[:3], *LINKS]

    assert chain_of(history, LINKS[-1]) == LINKS


@pytest.mark.parametrize("lost", range(len(LINKS)))
def test_a_history_that_lacks_a_link_is_refused(lost: int) -> None:
    with pytest.raises(HistoryMissing, match="links are missing"):
        chain_of([link for index, link in enumerate(LINKS) if index != lost], LINKS[-1])


# -- documents -----------------------------------------------------------------------------------------------------------


def test_equal_links_make_equal_bytes_and_the_software_is_named() -> None:
    first, second = documents(LINKS, SOFTWARE), documents(LINKS, SOFTWARE)

    assert first == second
    assert [name for name, _ in first] == ["chain.jsonl", "timeline.json", "playlist.m3u8", "manifest.json"]
    assert parsed(LINKS, "manifest.json")["software"] == SOFTWARE


def test_the_chain_document_holds_every_hashed_text_and_its_facts() -> None:
    data = dict(documents(LINKS, SOFTWARE))["chain.jsonl"]

    lines = [json.loads(line) for line in data.splitlines()]

    assert [(line["seq"], line["record"], line["hash"]) for line in lines] == [
        (link.seq, link.record, link.hash) for link in LINKS
    ]
    for line in lines[1:-1]:
        assert digest(line["facts"]) == json.loads(line["record"])["facts_sha256"]


def test_the_manifest_names_the_digest_of_every_other_document() -> None:
    made = documents(LINKS, SOFTWARE)

    assert parsed(LINKS, "manifest.json")["documents"] == [
        {"name": name, "sha256": hashlib.sha256(data).hexdigest(), "size_bytes": len(data)} for name, data in made[:-1]
    ]


def test_the_account_in_the_manifest_is_the_one_the_close_was_made_of() -> None:
    manifest = parsed(LINKS, "manifest.json")

    assert digest(manifest["account"]) == json.loads(LINKS[-1].record)["account_sha256"]
    assert manifest["chain"] == {
        "genesis": LINKS[0].hash,
        "head": LINKS[-1].hash,
        "close_seq": 3,
        "links": 5,
        "closed": True,
    }


def test_a_later_revision_names_the_closes_before_it() -> None:
    links = chained(SEGMENTS, ended(), ended(revision=2), late=1)

    manifest = parsed(links, "manifest.json")

    close = next(link for link in links if link.kind == "close")
    assert manifest["revision"] == 2
    assert manifest["earlier_closes"] == [{"seq": close.seq, "hash": close.hash}]
    assert [item["kind"] for item in manifest["segments"]] == ["segment", "segment", "late"]


def test_segments_stand_in_timeline_order_and_the_unplaced_last() -> None:
    arrived = [photo(9, claimed_start=None), probed(2), probed(0), probed(1)]

    found = segments_of(chained(arrived, ended()))

    assert [item.link.seq for item in found] == [2, 3, 1, 0]


def test_bytes_that_came_twice_are_one_original_and_two_segments() -> None:
    again = probed(3, object=SEGMENTS[1].landed.object, claimed_start=SEGMENTS[1].landed.claimed_start)
    links = chained([*SEGMENTS, again], ended())

    manifest = parsed(links, "manifest.json")

    assert len(originals_of(segments_of(links))) == len(manifest["originals"]) == 3
    assert [item["repeat"] for item in manifest["segments"]] == [False, False, True, False]
    assert dict(documents(links, SOFTWARE))["playlist.m3u8"].count(b"#EXTINF") == 3


def test_the_timeline_holds_runs_gaps_and_where_each_segment_lies() -> None:
    timeline = parsed(chained(SEGMENTS[:1], ended(gaps=(gap(10_000, 30_000),))), "timeline.json")

    assert timeline["gaps"][0]["start"] == "2026-11-24T08:00:10.000Z"
    assert timeline["runs"][0]["segments"] == 3
    assert timeline["segments"][0]["wall_start"] == "2026-11-24T08:00:00.000Z"
    assert timeline["segments"][0]["media"][0]["time_base"] == "1/90000"


def test_an_original_that_cannot_be_played_says_why_in_the_manifest() -> None:
    manifest = parsed(chained([SEGMENTS[0], photo(1)], ended()), "manifest.json")

    assert [item["not_playable_in_place"] for item in manifest["originals"]] == [None, "photo: not timed media"]


def test_a_chain_without_its_account_is_refused() -> None:
    with pytest.raises(HistoryMissing, match="a close carries"):
        account_of([*LINKS[:-1], replace(LINKS[-1], ended=None)])
