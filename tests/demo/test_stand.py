from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.demo.masters import BLOCK_S
from pipeline.demo.stand import Stand, StandFailed
from pipeline.policy import load_policy


@pytest.fixture
def stand(tmp_path: Path) -> Stand:
    return Stand(folder=tmp_path / "stand", prefix="t3st", ports={"media": 19161, "ledger": 19162})


def test_the_stands_policy_is_the_shipped_one_with_short_blocks_and_locks(stand: Stand) -> None:
    policy = load_policy(Path(stand.variables["UNBROKEN_POLICY"]))

    assert (policy.version, policy.block_s, policy.provisional_retention_s) == ("demo-1", BLOCK_S, 86_400)
    assert policy.deadline_s == load_policy().deadline_s
    assert policy.tolerance == load_policy().tolerance


def test_a_stand_is_another_installation_than_the_default_one(stand: Stand) -> None:
    settings = stand.settings()

    assert settings.topic("segment.landed.v1") == "t3st.segment.landed.v1"
    assert settings.originals == "t3st-originals"
    assert settings.state == stand.folder


def test_a_command_that_fails_is_told_with_its_own_words(stand: Stand) -> None:
    with pytest.raises(StandFailed, match=r"(?s)unbroken nonsense: exit 2: .*No such command"):
        stand.call("nonsense")


def test_a_command_that_does_not_end_is_told(stand: Stand) -> None:
    with pytest.raises(StandFailed, match=r"unbroken topics check: no end after 0 s"):
        stand.call("topics", "check", timeout_s=0.01)


def test_a_worker_that_ends_at_once_is_told_with_the_end_of_its_log(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UNBROKEN_TOPIC_PARTITIONS", "none")

    stand.start("media")

    with pytest.raises(StandFailed, match=r"(?s)worker media ended with \d+; .*worker-media.log ends:.*none"):
        stand.ready("media")
    assert stand.stop() != {"media": 0}
