"""Settings: where they come from, what they default to, and what is said of a bad one."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from pipeline.settings import Settings


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    for name in [name for name in os.environ if name.startswith("UNBROKEN_")]:
        monkeypatch.delenv(name)


def test_without_any_variable_the_defaults_are_those_of_a_real_installation() -> None:
    settings = Settings()

    assert (settings.topic_partitions, settings.topic_replication, settings.topic_prefix) == (24, 3, "unbroken")
    assert (settings.originals, settings.records, settings.derived) == ("originals", "records", "derived")


def test_variables_set_what_they_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNBROKEN_KAFKA", "kafka-1:9092,kafka-2:9092")
    monkeypatch.setenv("UNBROKEN_STATE", "/var/lib/unbroken")
    monkeypatch.setenv("KAFKA", "not ours")

    settings = Settings()

    assert (settings.kafka, settings.state) == ("kafka-1:9092,kafka-2:9092", Path("/var/lib/unbroken"))


def test_prefixes_part_installations_that_share_a_broker_or_a_store(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNBROKEN_TOPIC_PREFIX", "east")
    monkeypatch.setenv("UNBROKEN_BUCKET_PREFIX", "east-")

    settings = Settings()

    assert settings.topic("segment.landed.v1") == "east.segment.landed.v1"
    assert (settings.originals, settings.records, settings.derived) == (
        "east-originals",
        "east-records",
        "east-derived",
    )


@pytest.mark.parametrize(
    ("name", "least"),
    [("TOPIC_PARTITIONS", 1), ("TOPIC_REPLICATION", 1), ("PROBE_PROCESSES", 1), ("PROBE_TIMEOUT_S", 1), ("SWEEP_S", 1)],
)
def test_a_number_too_small_is_refused_by_its_name(monkeypatch: pytest.MonkeyPatch, name: str, least: int) -> None:
    monkeypatch.setenv(f"UNBROKEN_{name}", str(least))
    assert getattr(Settings(), name.lower()) == least

    monkeypatch.setenv(f"UNBROKEN_{name}", str(least - 1))
    with pytest.raises(ValidationError, match=name.lower()):
        Settings()


@pytest.mark.parametrize(("port", "fits"), [(-1, False), (0, True), (65535, True), (65536, False)])
def test_a_port_is_a_port(monkeypatch: pytest.MonkeyPatch, port: int, fits: bool) -> None:
    monkeypatch.setenv("UNBROKEN_WORKER_PORT", str(port))

    if fits:
        assert Settings().worker_port == port
    else:
        with pytest.raises(ValidationError, match="worker_port"):
            Settings()


def test_settings_are_fixed_once_read() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Settings().kafka = "elsewhere"  # type: ignore[misc]  # that is the point


def test_the_secret_key_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNBROKEN_STORE_SECRET_KEY", "hush-hush")

    assert "hush-hush" not in repr(Settings()) + str(Settings().model_dump())
    assert Settings().store_secret_key.get_secret_value() == "hush-hush"


def test_every_setting_says_what_it_is_for() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []
