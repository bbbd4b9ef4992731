"""A recording from the real store in a real browser: it plays, gaps are jumped and told, copies play, the viewing is on record."""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from pipeline.adapters import media
from pipeline.adapters.buckets import apply_buckets
from pipeline.adapters.objects_s3 import S3Objects, open_store
from pipeline.cli import build
from pipeline.domain import chain, continuity
from pipeline.domain.annotation import Annotation
from pipeline.domain.chain import ChainState, LinkAppended
from pipeline.domain.continuity import SourceState
from pipeline.domain.identity import RecordingId, Sha256, SourceId, original_key
from pipeline.domain.landing import ObjectRef
from pipeline.domain.probe import SegmentProbed
from pipeline.domain.stitch import StitchState
from pipeline.domain.time import WallMs
from pipeline.policy import load_policy
from pipeline.settings import Settings
from pipeline.steps.stitch import StitchStep
from pipeline.wire import codec, topics
from tests import clips
from tests.adapters.s3 import own_settings, short_policy
from tests.builders import SALT_KEY, T0, claimed, explanation, landed, session_ended
from tests.cli.browser import Browser, browser
from tests.cli.devtools import Tab, opened
from tests.steps.archiver import archive
from tests.wire.contract import validator

__all__ = ["browser"]
pytestmark = pytest.mark.stack

PLAYS = "document.querySelector('video').play().then(() => 'plays')"
NOW = "Number(document.documentElement.dataset.at)"
SAID = "document.getElementById('said').textContent"


@dataclass(frozen=True)
class Kept:
    """Links as the topic would give them back."""

    links: Sequence[LinkAppended]

    async def values(self, partition: int, first_offset: int, last_offset: int) -> Sequence[bytes]:
        return [codec.encode(link) for link in self.links[first_offset : last_offset + 1]]


@dataclass(frozen=True)
class Received:
    event: LinkAppended
    partition: int
    offset: int


@dataclass(frozen=True)
class Site:
    """An installation with archived recordings of its own."""

    settings: Settings
    store: S3Objects

    def bring_in(self, name: str, files: Sequence[tuple[Path, int]], *said: Annotation) -> None:
        """Archive the recording of *files*, each with the second it begins at."""
        policy, recording = load_policy(self.settings.policy), RecordingId(name)
        now = WallMs(time.time_ns() // 1_000_000)
        day: list[SegmentProbed | Annotation] = []
        for announcement, (path, begins_s) in enumerate(files, start=1):
            found = Sha256(hashlib.sha256(path.read_bytes()).hexdigest())
            key = original_key(found, path.name)
            stat = self.store.put_file(self.settings.originals, key, path, found, retain_until=None)
            claim = landed(
                announcement=announcement,
                source_id=SourceId(name),
                recording_id=recording,
                object=ObjectRef(
                    bucket=stat.bucket, key=key, version_id=stat.version_id, sha256=found, size_bytes=stat.size_bytes
                ),
                original_name=path.name,
                received_at=now,
                claimed_start=claimed(T0 + begins_s * 1000),
            )
            facts = media.facts(str(path), policy.tolerance["cctv"])
            day.append(SegmentProbed(landed=claim, facts=facts, observed_sha256=found, probe_version="1"))
        end = session_ended(expected=len(files), made_at=now, source_id=SourceId(name), recording_id=recording)
        source, chains, links = SourceState(source_id=SourceId(name)), ChainState(), list[LinkAppended]()
        for event in (*day, *said, end):
            source, judged = continuity.step(source, event, policy)
            for item in judged:
                chains, appended = chain.step(chains, item, SALT_KEY)
                links += appended
        asyncio.run(self._stitched(links))

    async def _stitched(self, links: Sequence[LinkAppended]) -> None:
        step = StitchStep(
            store=self.store,
            history=Kept(links),
            decode=partial(codec.decode, topics.LINK.name),
            derived=self.settings.derived,
            software="unbroken test",
            policy=load_policy(self.settings.policy),
        )
        state = StitchState()
        for offset, link in enumerate(links):
            state, stitched = await step.step(state, Received(link, 0, offset))
            for event in stitched:
                await asyncio.to_thread(archive, self.settings, event)

    def run(self, *arguments: str) -> Any:
        """``unbroken`` with this installation's settings."""
        told = self.settings.model_dump(mode="json", exclude_none=True)
        told["store_secret_key"] = self.settings.store_secret_key.get_secret_value()
        return CliRunner().invoke(
            build(), list(arguments), env={f"UNBROKEN_{name.upper()}": str(value) for name, value in told.items()}
        )

    def play(self, name: str, *options: str) -> dict[str, Any]:
        """The answer of ``unbroken play``."""
        done = self.run("play", name, "--purpose", "review of the visit", "--by", "officer 7", "--json", *options)
        assert done.exit_code == 0, done.output
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """A hall camera that lost two files of six, one of the gaps explained; a body camera with a hole, sound that browsers do not play
    and a file they do not play at all; a camera that writes fragments."""
    folder = tmp_path_factory.mktemp("site")
    settings = own_settings(folder, short_policy(folder))
    apply_buckets(settings)
    site = Site(settings, open_store(settings))
    whole = clips.film(folder / "whole.ts", seconds=24)
    clips.ffmpeg("-i", str(whole), "-c", "copy", "-f", "segment", "-segment_time", "4", str(folder / "%d.ts"))
    why = explanation(4000, 8000, source_id=SourceId("hall"), recording_id=RecordingId("hall"))
    site.bring_in("hall", [(folder / f"{number}.ts", number * 4) for number in (0, 2, 3, 5)], why)

    film = clips.remux(whole, folder / "film.mkv", "-t", "12")
    torn = clips.without(film, folder / "torn.mkv", 4, 7)
    clips.ffmpeg("-i", str(torn), "-c:v", "copy", "-c:a", "pcm_alaw", "-t", "12", str(folder / "body.mkv"))
    clips.remux(film, folder / "phone.mp4")
    clips.ffmpeg("-i", str(film), "-c:v", "mjpeg", "-an", "-t", "2", str(folder / "old.avi"))
    begins = {"body.mkv": 0, "phone.mp4": 20, "old.avi": 40}
    site.bring_in("body", [(folder / name, begins_s) for name, begins_s in begins.items()])

    for number in (0, 1):
        cut = clips.remux(folder / "phone.mp4", folder / f"f{number}.mp4", *clips.FRAGMENTED, "-t", "5")
        cut.write_bytes(cut.read_bytes() + bytes([0, 0, 0, 9]) + b"free" + bytes([number]))
    site.bring_in("fragments", [(folder / "f0.mp4", 0), (folder / "f1.mp4", 10)])
    return site


async def seek(tab: Tab, to_s: float) -> None:
    await tab.find(f"void (document.querySelector('video').currentTime = {to_s})")


async def test_a_recording_plays_from_its_own_bytes_and_gaps_are_jumped_and_told(
    site: Site, browser: Browser, tmp_path: Path
) -> None:
    answer = await asyncio.to_thread(site.play, "hall")

    assert {item["way"] for item in answer["shown"]} == {"in_place"}
    async with opened(browser.program, tmp_path / "profile", answer["address"]) as tab:
        await tab.until("document.documentElement?.dataset.script === 'ran'")
        assert await tab.find(PLAYS) == "plays"
        await tab.until(f"{NOW} > 1")
        width = await tab.find("document.querySelector('video').videoWidth")
        assert width == 160

        await seek(tab, 5.5)  # into the gap from 4 to 8 s
        await tab.until(f"{NOW} > 8.5")
        told = await tab.find(SAID)
        assert told.startswith("Nothing was recorded from 2026-11-24 08:00:04")
        assert "explained (R4)" in told
        picture = await tab.screenshot()
        await asyncio.to_thread((tmp_path / "gap.png").write_bytes, picture)

        await seek(tab, 14.5)  # plays up to the next gap, from 16 to 20 s, by itself
        await tab.until(f"{NOW} > 20.2")
        assert (await tab.find(SAID)).endswith(": unexplained.")
        errors = set((await tab.find("document.documentElement.dataset.errors || ''")).split())
        assert errors <= {"fragGap", "bufferSeekOverHole"}  # what the player says of gaps, none of it fatal
        assert await tab.find("document.querySelectorAll('#bar .gap').length") == 2


async def test_what_browsers_cannot_play_plays_as_a_copy_and_what_they_never_play_is_named(
    site: Site, browser: Browser, tmp_path: Path
) -> None:
    answer = await asyncio.to_thread(site.play, "body", "--lang", "zh")
    again = await asyncio.to_thread(site.play, "body")

    shown = answer["shown"]
    assert [item["way"] for item in shown] == ["derived", "derived", "none"]
    assert shown[0]["left_out"] == ["pcm_alaw"]
    assert again["shown"] == shown
    async with opened(browser.program, tmp_path / "profile", answer["address"]) as tab:
        await tab.until("document.documentElement?.dataset.script === 'ran'")
        assert await tab.find(PLAYS) == "plays"
        await tab.until(f"{NOW} > 0.5")
        await seek(tab, 5)  # into the hole inside the first file
        await tab.until(f"{SAID}.includes('画面静止')")
        await seek(tab, 10)
        await tab.until(f"{NOW} > 20.5")  # over the gap between the files, into the second one
        picture = await tab.screenshot()
        await asyncio.to_thread((tmp_path / "copy.png").write_bytes, picture)
        assert await tab.find("document.body.textContent.includes('mjpeg')")
        assert "bufferAppendError" not in await tab.find("document.documentElement.dataset.errors")


async def test_fragments_play_from_their_own_bytes(site: Site, browser: Browser, tmp_path: Path) -> None:
    answer = await asyncio.to_thread(site.play, "fragments")

    assert {item["way"] for item in answer["shown"]} == {"in_place"}
    async with opened(browser.program, tmp_path / "profile", answer["address"]) as tab:
        await tab.until("document.documentElement?.dataset.script === 'ran'")
        assert await tab.find(PLAYS) == "plays"
        await tab.until(f"{NOW} > 1")
        await seek(tab, 7)
        await tab.until(f"{NOW} > 10.5")
        assert await tab.find("document.querySelector('video').videoWidth") == 160


def test_the_viewing_is_on_record_under_lock_and_the_archive_still_verifies(site: Site) -> None:
    answer = site.play("hall")

    bucket, _, key = answer["record"].partition("/")
    record = json.loads(site.store.read(bucket, key))
    stat = site.store.stat(bucket, key)
    assert [error.message for error in validator("play.v1").iter_errors(answer)] == []
    assert [error.message for error in validator("view.v1").iter_errors(record)] == []
    assert (record["purpose"], record["by"], record["recording_id"]) == ("review of the visit", "officer 7", "hall")
    assert stat.lock_mode == "COMPLIANCE"
    site.play("body")
    verified = json.loads(site.run("verify", "--deep", "--json").stdout)["items"]
    assert [item for item in verified if item["check"] == "extra" and item["place"]] == []
    derivatives = [(item["result"], item["found"]) for item in verified if item["check"] == "derivatives"]
    assert derivatives == [("pass", "2 copies have the payload of their originals")]


def test_a_dry_run_says_what_would_be_shown_and_leaves_nothing(site: Site) -> None:
    before = [stat.key for stat in site.store.list(site.settings.records, "views/")]

    answer = site.play("hall", "--dry-run")

    assert (answer["address"], answer["record"]) == (None, None)
    assert [stat.key for stat in site.store.list(site.settings.records, "views/")] == before


def test_an_unknown_recording_is_named(site: Site) -> None:
    done = site.run("play", "nobody", "--purpose", "x")

    assert done.exit_code == 1
    assert "no recording of that name is archived (nobody)" in done.output
