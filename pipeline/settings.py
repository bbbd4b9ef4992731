"""Settings: everything an installation may set by environment variable, and nothing else reads the environment.

A worker, a connector and every command take the same variables (prefix ``UNBROKEN_``); ``infra/local.env`` sets those
of the local stack. docs/settings.md lists them and is checked against this class.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

WORKER_PORTS: Final[Mapping[str, int]] = {"media": 19101, "ledger": 19102}
"""Where a worker answers unless ``worker_port`` says otherwise."""


class Settings(BaseSettings):
    """Field descriptions are the reference; docs/settings.md is rendered from them."""

    model_config = SettingsConfigDict(env_prefix="UNBROKEN_", frozen=True, extra="ignore")

    kafka: str = Field("127.0.0.1:19092", description="Bootstrap servers, host:port, comma separated.")
    topic_prefix: str = Field("unbroken", description="First word of every topic and consumer group.")
    topic_partitions: int = Field(
        24, ge=1, description="Partitions of every topic; the same for all, fixed at creation."
    )
    topic_replication: int = Field(3, ge=1, description="Copies the broker keeps of every topic.")
    store_url: str = Field("http://127.0.0.1:19000", description="S3 endpoint of the object store.")
    store_access_key: str = Field("", description="Access key for the store.")
    store_secret_key: SecretStr = Field(SecretStr(""), description="Secret key for the store.")
    store_region: str = Field("us-east-1", description="Region name the store expects in signatures.")
    store_ca_file: Path | None = Field(None, description="PEM file with the site's own certificate authority.")
    store_connector: str = Field(
        "",
        description="User of the connectors in bucket policies (Ceph: `arn:aws:iam:::user/NAME`); they put originals.",
    )
    store_archive: str = Field(
        "", description="User of the ledger worker in bucket policies; it puts and extends locks."
    )
    store_verifier: str = Field("", description="User of the media worker and of commands that only read.")
    store_viewer: str = Field(
        "", description="User of `unbroken play`; it reads, and puts records of viewings and derivatives."
    )
    bucket_prefix: str = Field("", description="Put before the bucket names originals, records and derived.")
    state: Path = Field(Path(".unbroken"), description="Folder for journals, spools, keys and the local stack.")
    policy: Path | None = Field(None, description="The bureau's policy TOML; the shipped one when unset.")
    signing_key_file: Path | None = Field(
        None,
        description="Ed25519 receipt key, PEM; created under the state folder when neither this nor the next is set.",
    )
    signing_key: SecretStr = Field(
        SecretStr(""), description="The receipt key itself, PEM, for a site that keeps secrets in the environment."
    )
    salt_key_file: Path | None = Field(
        None,
        description="Key of the salts that keep a case's fields from being guessed from the chain, 64 hex digits, the same for every ledger worker; created under the state folder when unset.",
    )
    worker_port: int = Field(
        0, ge=0, le=65535, description="Port for /livez, /readyz, /metrics; 0: 19101 media, 19102 ledger."
    )
    probe_processes: int = Field(
        2, ge=1, description="Processes that read media files at the same time, per media worker."
    )
    probe_timeout_s: int = Field(120, ge=1, description="A media file that takes longer to read is judged unreadable.")
    probe_memory_bytes: int = Field(1 << 30, ge=1 << 28, description="Address space a media-reading process may add.")
    sweep_s: int = Field(15, ge=1, description="How often deadlines and idle recordings are looked at.")
    canary_s: int = Field(900, ge=5, description="How often `unbroken canary` sends a recording of its own.")
    worm_probe_s: int = Field(
        21600,
        ge=60,
        description="How often the ledger worker tries the store's locks; a pass counts for two such times.",
    )
    retention_sweep_s: int = Field(
        86400,
        ge=60,
        description="How often the ledger worker compares locks and holds with what is demanded; hourly while it finds something.",
    )
    retention_sweep_objects_per_s: int = Field(
        100, ge=1, description="That sweep asks the store for no more objects in a second."
    )
    verify_turn_s: int = Field(
        3600,
        ge=1,
        description="How often the ledger worker verifies a part of the archive; policy `verify_within_s` has so many parts.",
    )
    verify_mb_per_s: float = Field(20, gt=0, description="That verification reads no faster, in 10^6 bytes a second.")
    statements_host: str = Field("127.0.0.1", description="Address on which `unbroken serve` takes statements.")
    statements_port: int = Field(19103, ge=1, le=65535, description="Port of `unbroken serve`.")
    statements_token: SecretStr = Field(
        SecretStr(""), description="What callers of `unbroken serve` must show; it does not start without one."
    )
    zone: str = Field(
        "",
        description="The site's time zone, like `Asia/Shanghai`; the machine's own when unset. Reports are of its days.",
    )
    daily_report_s: int = Field(
        900, ge=1, description="How often the ledger worker looks whether a day's report is due."
    )
    log_format: Literal["json", "console"] = Field("console", description="How log lines look.")

    @property
    def originals(self) -> str:
        """Bucket of originals (Object Lock)."""
        return f"{self.bucket_prefix}originals"

    @property
    def records(self) -> str:
        """Bucket of records (Object Lock)."""
        return f"{self.bucket_prefix}records"

    @property
    def derived(self) -> str:
        """Bucket of staged and derived objects (no lock)."""
        return f"{self.bucket_prefix}derived"

    @property
    def worm_probe(self) -> str:
        """Bucket on which the store's locks are tried (Object Lock, no evidence)."""
        return f"{self.bucket_prefix}worm-probe"

    def topic(self, name: str) -> str:
        """A topic's full name on the broker."""
        return f"{self.topic_prefix}.{name}"
