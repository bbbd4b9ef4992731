"""Each role does what it must and is refused the rest by the real store; nobody deletes evidence, its owner included."""

from __future__ import annotations

import os
import secrets
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from minio.commonconfig import ENABLED, Filter
from minio.error import S3Error
from minio.lifecycleconfig import Expiration, LifecycleConfig, Rule
from minio.versioningconfig import SUSPENDED, VersioningConfig
from pydantic import SecretStr

from infra.native.layout import Layout
from pipeline.adapters.buckets import apply_buckets, check_buckets
from pipeline.adapters.objects_s3 import PART_BYTES, S3Objects, open_client, open_store
from pipeline.adapters.roles import policies
from pipeline.adapters.worm_s3 import look_at_store
from pipeline.domain.errors import AccessRefused
from pipeline.ports import ObjectStat
from pipeline.settings import Settings
from tests.adapters.objects_contract import ref, sha, soon
from tests.adapters.s3 import own_settings, short_policy

ROLES = ("connector", "archive", "verifier", "viewer")


def test_without_users_there_are_no_policies() -> None:
    assert policies(Settings()) == {}


@pytest.mark.parametrize("bucket", ["originals", "records"])
def test_evidence_is_denied_deletion_to_everyone(bucket: str) -> None:
    denied = [
        statement
        for statement in policies(Settings(store_archive="arn:aws:iam:::user/a"))[bucket]["Statement"]
        if statement["Effect"] == "Deny"
    ]

    assert [statement["Principal"] for statement in denied] == [{"AWS": ["*"]}]
    assert {"s3:DeleteObject", "s3:DeleteObjectVersion", "s3:BypassGovernanceRetention"} <= set(denied[0]["Action"])


@dataclass(frozen=True)
class Site:
    """An installation whose buckets have their policies, and its settings as each role has them."""

    owner: Settings
    roles: dict[str, Settings]

    def store(self, role: str) -> S3Objects:
        return open_store(self.roles[role])


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("roles")
    owner = own_settings(folder, short_policy(folder))
    config = str(Layout.from_environment().path("ceph") / "ceph.conf")
    names = {role: f"{owner.bucket_prefix}{role}" for role in ROLES}
    for name in names.values():
        _admin(config, "create", name, "--display-name", name, "--access-key", name, "--secret-key", f"{name}-secret")
    owner = owner.model_copy(update={f"store_{role}": f"arn:aws:iam:::user/{name}" for role, name in names.items()})
    apply_buckets(owner)
    yield Site(
        owner,
        {
            role: owner.model_copy(update={"store_access_key": name, "store_secret_key": SecretStr(f"{name}-secret")})
            for role, name in names.items()
        },
    )
    for name in names.values():
        _admin(config, "rm", name)


def _admin(config: str, command: str, uid: str, *options: str) -> None:
    subprocess.run(
        ["radosgw-admin", "-c", config, "user", command, "--uid", uid, *options], check=True, capture_output=True
    )


@pytest.fixture
def original(site: Site) -> ObjectStat:
    """An original as its connector put it, locked for a second."""
    data = secrets.token_bytes(100)
    return site.store("connector").put_bytes(
        site.owner.originals, f"sha256/{sha(data)}.bin", data, sha(data), retain_until=soon(1)
    )


@pytest.mark.stack
@pytest.mark.skipif("UNBROKEN_TEST_S3_URL" in os.environ, reason="users are made on the local stack only")
class TestRoles:
    def test_applying_again_changes_nothing(self, site: Site) -> None:
        assert apply_buckets(site.owner) == ()

    @pytest.mark.parametrize("role", ROLES)
    def test_every_role_can_check_the_buckets_before_it_starts(self, site: Site, role: str) -> None:
        assert check_buckets(site.roles[role]) == ()

    @pytest.mark.parametrize("role", ROLES)
    def test_every_role_reads_what_the_connector_put(self, site: Site, original: ObjectStat, role: str) -> None:
        store = site.store(role)

        with store.open(ref(original)) as body:
            assert sha(body.read()) == original.sha256
        assert store.stat(original.bucket, original.key, original.version_id) == original
        assert [item.key for item in store.list(original.bucket, original.key)] == [original.key]

    def test_a_connector_puts_large_originals_locked(self, site: Site, tmp_path: Path) -> None:
        path = tmp_path / "large.mp4"
        path.write_bytes(secrets.token_bytes(PART_BYTES + 1))
        digest = sha(path.read_bytes())

        stat = site.store("connector").put_file(site.owner.originals, digest, path, digest, retain_until=soon(60))

        assert stat.lock_mode == "COMPLIANCE"

    @pytest.mark.parametrize("bucket", ["records", "derived"])
    def test_the_archive_puts_records_and_derivatives(self, site: Site, bucket: str) -> None:
        name = getattr(site.owner, bucket)
        until = soon(5) if bucket == "records" else None

        stat = site.store("archive").put_bytes(name, secrets.token_hex(4), b"x", sha(b"x"), retain_until=until)

        assert stat.size_bytes == 1

    def test_a_viewer_puts_locked_records_of_viewings_and_derivatives(self, site: Site) -> None:
        key = f"views/{secrets.token_hex(4)}.json"

        record = site.store("viewer").put_bytes(site.owner.records, key, b"x", sha(b"x"), retain_until=soon(5))
        copy = site.store("viewer").put_bytes(
            site.owner.derived, secrets.token_hex(4), b"x", sha(b"x"), retain_until=None
        )

        assert (record.lock_mode, copy.lock_mode) == ("COMPLIANCE", "none")

    def test_only_the_archive_makes_a_lock_longer(self, site: Site, original: ObjectStat) -> None:
        until = soon(5)
        place = original.bucket, original.key, original.version_id

        for role in ("connector", "verifier", "viewer"):
            with pytest.raises(AccessRefused):
                site.store(role).extend_retention(*place, until)
        extended = site.store("archive").extend_retention(*place, until)

        assert (extended.retain_until or 0) >= until

    def test_the_archive_holds_and_releases(self, site: Site, original: ObjectStat) -> None:
        place = original.bucket, original.key, original.version_id

        held = site.store("archive").set_hold(*place, True)
        free = site.store("archive").set_hold(*place, False)

        assert (held.legal_hold, free.legal_hold) == (True, False)

    @pytest.mark.parametrize("role", ["connector", "verifier", "viewer"])
    def test_a_role_that_may_not_touch_locks_sets_no_hold(self, site: Site, original: ObjectStat, role: str) -> None:
        with pytest.raises(S3Error, match="AccessDenied"):
            open_client(site.roles[role]).enable_object_legal_hold(original.bucket, original.key, original.version_id)

    @pytest.mark.parametrize(
        ("role", "bucket"),
        [
            ("connector", "records"),
            ("connector", "derived"),
            ("connector", "worm_probe"),
            ("verifier", "originals"),
            ("verifier", "records"),
            ("verifier", "derived"),
            ("verifier", "worm_probe"),
            ("viewer", "originals"),
            ("viewer", "records"),
            ("viewer", "worm_probe"),
        ],
    )
    def test_a_role_puts_nothing_where_it_has_no_business(self, site: Site, role: str, bucket: str) -> None:
        until = None if bucket == "derived" else soon(5)

        with pytest.raises(AccessRefused):
            site.store(role).put_bytes(
                getattr(site.owner, bucket), secrets.token_hex(4), b"x", sha(b"x"), retain_until=until
            )

    @pytest.mark.parametrize("role", ROLES)
    def test_no_role_deletes_or_loosens_anything(self, site: Site, original: ObjectStat, role: str) -> None:
        client, bucket = open_client(site.roles[role]), original.bucket
        time.sleep(2.2)  # no lock is left to refuse it
        public: Any = {"x-amz-acl": "public-read"}
        acl: Any = {"acl": ""}
        rule = Rule(ENABLED, rule_filter=Filter(prefix=""), rule_id="x", expiration=Expiration(days=1))
        attempts: list[Callable[[], object]] = [
            lambda: client.remove_object(bucket, original.key, original.version_id),
            lambda: client.remove_object(bucket, original.key),
            lambda: client._execute("PUT", bucket, original.key, headers=public, query_params=acl),
            lambda: client.set_bucket_lifecycle(bucket, LifecycleConfig([rule])),
            lambda: client.set_bucket_versioning(bucket, VersioningConfig(SUSPENDED)),
            lambda: client.delete_object_lock_config(bucket),
            lambda: client.delete_bucket_policy(bucket),
            lambda: client.remove_bucket(bucket),
        ]

        for attempt in attempts:
            with pytest.raises(S3Error, match="AccessDenied"):
                attempt()

        assert site.store("verifier").stat(bucket, original.key) == original

    def test_the_owner_is_denied_deletion_too_until_the_policy_is_lifted(
        self, site: Site, original: ObjectStat, request: pytest.FixtureRequest
    ) -> None:
        client, place = open_client(site.owner), (original.bucket, original.key, original.version_id)
        time.sleep(2.2)

        with pytest.raises(S3Error, match="AccessDenied"):
            client.remove_object(*place)
        request.addfinalizer(lambda: apply_buckets(site.owner))
        client.delete_bucket_policy(original.bucket)
        client.remove_object(*place)

        assert list(open_store(site.owner).versions(original.bucket, original.key)) == []

    def test_the_archive_s_key_tries_the_locks_and_keeps_the_report(self, site: Site) -> None:
        report, kept = look_at_store(site.roles["archive"])

        assert report.wrong == ()
        assert isinstance(kept, str)
