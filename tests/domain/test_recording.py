"""Recording: what one segment adds, what is said of a file itself, and which files are known again."""

from __future__ import annotations

import pytest

from pipeline.domain.account import Account, Gap
from pipeline.domain.findings import Evidence, Finding
from pipeline.domain.policy import Policy
from pipeline.domain.recording import DIGEST_CHARS, MAX_DIGESTS, Recording, Said, admit, gaps_of, holds
from pipeline.domain.time import WallMs
from tests.builders import PTS0, T0, audio, facts, hole, mp4, photo, policy, probed, sha, unreadable, video

POLICY: Policy = policy()


def gap(start_ms: int, end_ms: int, error_ms: int = 0) -> Account:
    found = Gap(
        start=WallMs(T0 + start_ms),
        end=WallMs(T0 + end_ms),
        size_ms=end_ms - start_ms,
        error_ms=error_ms,
        evidence="media_clock",
        state="open",
    )
    return Account(runs=(), gaps=(found,), findings=())


def said(start_ms: int, end_ms: int, reason: str = "R4", made_ms: int = 0) -> Said:
    return Said(WallMs(T0 + start_ms), WallMs(T0 + end_ms), reason, f"why-{reason}", WallMs(T0 + made_ms))


def test_a_segment_is_counted_weighed_and_placed() -> None:
    recording, judged = admit(Recording(), probed(0), POLICY)

    assert (recording.segments, recording.bytes, recording.kind, recording.unit) == (1, 1000, "cctv", "service-hall")
    assert (judged.start, judged.end, judged.duplicate, judged.findings) == (T0, T0 + 10_000, False, ())


def test_the_same_bytes_again_are_counted_and_not_placed() -> None:
    once, _ = admit(Recording(), probed(0), POLICY)

    twice, judged = admit(once, probed(0), POLICY)

    assert (twice.segments, twice.bytes, twice.timeline) == (2, 2000, once.timeline)
    assert (judged.duplicate, judged.start, [finding.kind for finding in judged.findings]) == (
        True,
        None,
        ["duplicate"],
    )


def test_a_claim_is_of_the_first_picture_though_sound_began_before_it() -> None:
    found = Finding(
        kind="partial_gap", level="degradation", evidence="media_clock", expected="", found="", from_ms=2000
    )
    sounding = facts(video(PTS0 + 80 * 90), audio(PTS0), findings=(found,))

    _, judged = admit(Recording(), probed(0, sounding), POLICY)

    assert [finding.wall_start for finding in judged.findings] == [T0 + 1920]


@pytest.mark.parametrize("segment", [photo(), unreadable()], ids=["photo", "unreadable"])
def test_what_has_no_time_of_its_own_is_not_placed(segment: object) -> None:
    recording, judged = admit(Recording(), segment, POLICY)  # type: ignore[arg-type]

    assert (recording.segments, recording.timed, judged.start) == (1, 0, None)


def test_a_files_own_findings_get_its_name_and_place() -> None:
    truncated = Finding(
        kind="truncated", level="degradation", evidence="bytes", expected="20 s", found="12 s", from_ms=500, to_ms=900
    )

    _, judged = admit(Recording(), mp4(1, 10_000, truncated), POLICY)

    (found,) = judged.findings
    assert (found.segment, found.wall_start, found.wall_end) == (
        mp4(1).landed.object.sha256,
        T0 + 10_500,
        T0 + 10_900,
    )


def test_a_hole_in_a_file_is_said_with_the_file_and_kept_as_time() -> None:
    recording, judged = admit(Recording(), mp4(0, 10_000, hole(2000, 9000)), POLICY)

    assert [finding.kind for finding in judged.findings] == ["gap"]
    assert recording.findings == ()


def test_a_file_that_no_reader_reads_says_so_even_if_the_reader_did_not() -> None:
    silent = unreadable()
    facts = type(silent.facts)(media="unreadable", container="", reader="pyav")

    _, judged = admit(Recording(), probed(0, facts), POLICY)

    assert [(finding.kind, finding.level) for finding in judged.findings] == [("unreadable", "interruption")]


def test_only_the_latest_files_are_known_by_their_bytes() -> None:
    full = Recording(digests=sha("old")[:DIGEST_CHARS] + "0" * (MAX_DIGESTS - 1) * DIGEST_CHARS)

    after, _ = admit(full, probed(0), POLICY)

    assert len(after.digests) == MAX_DIGESTS * DIGEST_CHARS
    assert not holds(after.digests, sha("old")[:DIGEST_CHARS])


@pytest.mark.parametrize(("mark", "held"), [("aaaaaaaaaaaa", True), ("bbbbbbbbbbbb", True), ("aaaaaabbbbbb", False)])
def test_marks_are_found_only_where_one_begins(mark: str, held: bool) -> None:
    assert holds("aaaaaaaaaaaabbbbbbbbbbbb", mark) == held


@pytest.mark.parametrize(("start_ms", "state"), [(12_000, "explained"), (12_001, "unexplained")])
def test_what_covers_a_gap_may_be_off_by_the_tolerance(start_ms: int, state: str) -> None:
    recording = Recording(kind="cctv", said=(said(start_ms, 20_000),))

    assert [found.state for found in gaps_of(recording, gap(10_000, 20_000), (), POLICY)] == [state]


def test_the_last_explanation_said_counts_and_a_person_before_a_plan() -> None:
    told = gap(10_000, 20_000)
    people = (said(0, 30_000, "R1", 5), said(0, 30_000, "R2", 9))
    plan = (said(0, 30_000, "cleaning", 1),)

    with_people = gaps_of(Recording(kind="cctv", said=people), told, plan, POLICY)
    without = gaps_of(Recording(kind="cctv"), told, plan, POLICY)

    assert [found.reason for found in (*with_people, *without)] == ["R2", "cleaning"]


@pytest.mark.parametrize(
    ("voice_ms", "state"), [(141_999, "explained"), (142_000, "explained"), (142_001, "unexplained")]
)
def test_a_reason_is_spoken_soon_after_the_restart(voice_ms: int, state: str) -> None:
    spoken = said(10_000, 20_000)._replace(voice_start=WallMs(T0 + voice_ms), voice_end=WallMs(T0 + voice_ms + 1000))

    found = gaps_of(Recording(kind="body_camera", said=(spoken,)), gap(10_000, 20_000), (), POLICY)

    assert [item.state for item in found] == [state]


def test_a_correction_without_a_voice_does_not_replace_the_spoken_reason() -> None:
    spoken = said(10_000, 20_000, "R4", 5)._replace(voice_start=WallMs(T0 + 21_000), voice_end=WallMs(T0 + 22_000))
    typed = said(10_000, 20_000, "R1", 9)

    found = gaps_of(Recording(kind="body_camera", said=(spoken, typed)), gap(10_000, 20_000), (), POLICY)

    assert [(item.state, item.reason) for item in found] == [("explained", "R4")]


def test_a_plan_needs_no_voice() -> None:
    found = gaps_of(Recording(kind="body_camera"), gap(10_000, 20_000), (said(0, 30_000, "charging"),), POLICY)

    assert [item.state for item in found] == ["explained"]


@pytest.mark.parametrize(
    ("stream", "evidence", "untimed", "brief"),
    [(None, "totals", 1, 0), (1, "none", 1, 0), (None, "none", 0, 1)],
    ids=["counted frames", "a stream without stamps", "too few frames"],
)
def test_what_the_probe_could_not_test_is_not_vouched_for(
    stream: int | None, evidence: Evidence, untimed: int, brief: int
) -> None:
    doubt = Finding(
        kind="not_testable", level="note", evidence=evidence, expected="stamps", found="none", stream=stream
    )

    recording, _ = admit(Recording(), mp4(0, 10_000, doubt), POLICY)

    assert (recording.timed, recording.untimed, recording.brief) == (1, untimed, brief)
