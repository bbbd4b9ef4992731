"""Where the tests find a real store, and buckets of their own on it.

``UNBROKEN_TEST_S3_URL`` names another server than the local stack's, with ``UNBROKEN_TEST_S3_ACCESS_KEY``,
``UNBROKEN_TEST_S3_SECRET_KEY`` and, if its certificate is of a site's own authority, ``UNBROKEN_TEST_S3_CA_FILE``.
Bucket names are new in every session: what is locked there cannot be removed.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from aiokafka.admin import AIOKafkaAdminClient
from pydantic import SecretStr

from pipeline.settings import Settings
from pipeline.wire import topics

LOCAL_ENV = Path(__file__).resolve().parents[2] / "infra" / "local.env"


def local_variables() -> dict[str, str]:
    """``infra/local.env``, with the environment's own values winning."""
    lines = [line for line in LOCAL_ENV.read_text("utf-8").splitlines() if line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines) | {
        name: value for name, value in os.environ.items() if name.startswith("UNBROKEN_")
    }


def own_settings(state: Path, policy: Path | None = None) -> Settings:
    """Settings for the local stack, with bucket and topic prefixes nobody else has."""
    mine = local_variables()
    words = "UNBROKEN_TEST_S3_" if "UNBROKEN_TEST_S3_URL" in mine else "UNBROKEN_STORE_"
    store = {name: mine.get(words + name, "") for name in ("URL", "ACCESS_KEY", "SECRET_KEY", "CA_FILE")}
    name = f"t-{secrets.token_hex(4)}"
    return Settings(
        kafka=mine["UNBROKEN_KAFKA"],
        store_url=store["URL"],
        store_access_key=store["ACCESS_KEY"],
        store_secret_key=SecretStr(store["SECRET_KEY"]),
        store_ca_file=Path(store["CA_FILE"]) if store["CA_FILE"] else None,
        topic_partitions=2,
        topic_replication=1,
        topic_prefix=name,
        bucket_prefix=f"{name}-",
        state=state,
        policy=policy,
    )


def short_policy(folder: Path) -> Path:
    """The shipped policy with the shortest retention a store can keep by default: a day."""
    shipped = (LOCAL_ENV.parents[1] / "pipeline" / "policy.toml").read_text("utf-8")
    path = folder / "policy.toml"
    path.write_text(
        shipped.replace("provisional_retention_s = 31536000", "provisional_retention_s = 86400"), encoding="utf-8"
    )
    return path


async def remove_topics(settings: Settings) -> None:
    """Those of our own settings; locked objects stay for their day, topics need not."""
    client = AIOKafkaAdminClient(bootstrap_servers=settings.kafka)
    await client.start()
    try:
        await client.delete_topics([settings.topic(topic.name) for topic in topics.ALL])
    finally:
        await client.close()
