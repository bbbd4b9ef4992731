"""A process that archives one stitched recording on the real store, for tests that kill it: settings and event on stdin."""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import dataclass
from pathlib import Path

from pipeline.adapters.clock import SystemClock
from pipeline.adapters.objects_s3 import S3Objects, open_client
from pipeline.domain.archive import ArchiveState, RecordingArchived
from pipeline.domain.stitch import RecordingStitched
from pipeline.policy import load_policy
from pipeline.settings import Settings
from pipeline.steps.archive import ArchiveStep
from pipeline.wire import codec, topics
from tests.builders_archive import Trusting, keeper_of, signer


@dataclass(frozen=True)
class Received:
    event: RecordingStitched


def archive(settings: Settings, stitched: RecordingStitched) -> RecordingArchived:
    """Archive *stitched* with nothing remembered, as a worker does that lost its state."""
    store = S3Objects(open_client(settings))
    step = ArchiveStep(
        store=store,
        trust=Trusting(),
        clock=SystemClock(),
        signer=signer(),
        keeper=keeper_of(store, load_policy(settings.policy), settings.records),
        derived=settings.derived,
    )
    _, (archived,) = asyncio.run(step.step(ArchiveState(), Received(stitched)))
    return archived


if __name__ == "__main__":
    given = json.load(sys.stdin)
    own = Settings(**{**given["settings"], "state": Path(given["settings"]["state"])})
    event = codec.decode(topics.STITCHED.name, given["event"].encode())
    print("begins", flush=True)
    archive(own, event)
