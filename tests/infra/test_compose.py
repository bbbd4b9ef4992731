"""The compose file cannot be run on machines without Docker; what can be checked of it is checked here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.native import kafka
from infra.native.layout import Layout

ROOT = Path(__file__).resolve().parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "infra/compose.yaml").read_text("utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
LOCAL = dict(
    line.split("=", 1) for line in (ROOT / "infra/local.env").read_text("utf-8").splitlines() if line[:1].isalpha()
)

SERVICE_KEYS = {"image", "command", "ports", "environment", "volumes", "healthcheck", "network_mode"}
"""The keys of the compose specification that we use; a typo is a key outside this set."""


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_made_of_known_keys_and_has_a_pinned_image(name: str) -> None:
    service = SERVICES[name]

    assert set(service) <= SERVICE_KEYS
    assert set(COMPOSE) == {"name", "services", "volumes"}
    assert ":" in service["image"]
    assert not service["image"].endswith(":latest")


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_watched_by_a_health_check(name: str) -> None:
    check = SERVICES[name]["healthcheck"]

    assert set(check) == {"test", "interval", "timeout", "retries"}
    assert check["test"][0] == "CMD"


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_reached_on_loopback_only(name: str) -> None:
    service = SERVICES[name]

    published = service.get("ports", [])

    assert all(port.startswith("127.0.0.1:") for port in published)
    if service.get("network_mode") == "host":
        assert "127.0.0.1" in str(service.get("command", "")) + str(service.get("environment", ""))


def test_the_ports_and_keys_are_those_of_the_local_environment() -> None:
    kafka, store = SERVICES["kafka"], SERVICES["store"]

    assert kafka["ports"] == [f"{LOCAL['UNBROKEN_KAFKA']}:19092"]
    assert kafka["environment"]["KAFKA_ADVERTISED_LISTENERS"] == f"PLAINTEXT://{LOCAL['UNBROKEN_KAFKA']}"
    assert LOCAL["UNBROKEN_STORE_URL"] == "http://" + store["ports"][0].rpartition(":")[0]
    assert store["environment"]["MINIO_ROOT_USER"] == LOCAL["UNBROKEN_STORE_ACCESS_KEY"]
    assert store["environment"]["MINIO_ROOT_PASSWORD"] == LOCAL["UNBROKEN_STORE_SECRET_KEY"]


def test_every_named_volume_is_declared_and_every_mounted_file_exists() -> None:
    mounts = [mount for service in SERVICES.values() for mount in service.get("volumes", [])]

    named = {mount.split(":")[0] for mount in mounts if not mount.startswith("./")}
    files = [mount.split(":")[0] for mount in mounts if mount.startswith("./")]

    assert named == set(COMPOSE["volumes"])
    assert [name for name in files if not (ROOT / "infra" / name).exists()] == []


def test_the_broker_is_the_native_one_in_version_settings_and_a_volume_that_is_used(tmp_path: Path) -> None:
    service = SERVICES["kafka"]
    ours = dict(line.split("=", 1) for line in kafka.properties(Layout(tmp_path, tmp_path, 0), tmp_path).splitlines())
    places = {"listeners", "controller.quorum.voters", "log.dirs"}

    theirs = {name: service["environment"].get(f"KAFKA_{name.upper().replace('.', '_')}") for name in ours}

    assert service["image"] == f"apache/kafka:{kafka.version()}"
    assert {name: theirs[name] for name in set(ours) - places} == {name: ours[name] for name in set(ours) - places}
    assert service["volumes"] == [f"kafka:{theirs['log.dirs']}"]
