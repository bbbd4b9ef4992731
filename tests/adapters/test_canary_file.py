"""The canary's file is read as any recording is, and nothing is wrong with it."""

from __future__ import annotations

from pathlib import Path

from pipeline.adapters import media
from pipeline.domain.canary import beat_file
from tests.builders import T0, policy


def test_nothing_is_wrong_with_a_canary(tmp_path: Path) -> None:
    file = tmp_path / "canary.wav"
    file.write_bytes(beat_file(T0))

    facts = media.facts(str(file), policy().tolerance["voice_recorder"])

    assert (facts.media, facts.container, len(facts.streams)) == ("timed", "wav", 1)
    assert {finding.level for finding in facts.findings} == {"note"}
