"""The store's buckets: made once, compared at every start. Setting them up only ever makes a lock stronger.

Evidence buckets have Object Lock and a default retention from their creation: it is the one way of locking that every
upload path of every server we tried honours from an object's first moment. Servers count default retention in whole
days; the exact retain-until is given with each object.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from minio import Minio
from minio.commonconfig import COMPLIANCE
from minio.error import S3Error
from minio.objectlockconfig import DAYS, YEARS, ObjectLockConfig

from pipeline.adapters.objects_answers import mapped
from pipeline.adapters.objects_s3 import open_client
from pipeline.adapters.roles import apply_policies
from pipeline.domain.errors import Misconfigured
from pipeline.policy import load_policy
from pipeline.settings import Settings

_DAY_S: Final = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bucket:
    """``lock_days`` is ``None`` for a bucket that locks nothing."""

    name: str
    lock_days: int | None


def apply_buckets(settings: Settings) -> tuple[str, ...]:
    """Make missing buckets, complete a half-made one, lengthen a default retention that is too short, give each role of
    the settings its rights; returns a line for each change. Raises :class:`Misconfigured` naming everything that cannot be mended from here."""
    client = open_client(settings)
    done = []
    for bucket in _wanted(settings):
        with mapped(bucket.name):
            if not client.bucket_exists(bucket.name):
                client.make_bucket(bucket.name, object_lock=bucket.lock_days is not None)
                done.append(f"made {bucket.name}")
            if bucket.lock_days is not None and _held_days(client, bucket.name) in range(bucket.lock_days):
                client.set_object_lock_config(bucket.name, ObjectLockConfig(COMPLIANCE, bucket.lock_days, DAYS))
                done.append(f"default retention of {bucket.name}: COMPLIANCE, {bucket.lock_days} days")
    with mapped("bucket policies"):
        done += apply_policies(client, settings)
    if faults := check_buckets(settings):
        raise Misconfigured("the store's buckets differ from ours: " + " | ".join(faults))
    return tuple(done)


def check_buckets(settings: Settings) -> tuple[str, ...]:
    """What is wrong with the buckets, one line each; empty when all is well. A worker asks this before it starts."""
    client = open_client(settings)
    found = (_difference(client, bucket) for bucket in _wanted(settings))
    return tuple(line for line in found if line is not None)


def _wanted(settings: Settings) -> tuple[_Bucket, ...]:
    days = max(1, load_policy(settings.policy).provisional_retention_s // _DAY_S)
    return (
        _Bucket(name=settings.originals, lock_days=days),
        _Bucket(name=settings.records, lock_days=days),
        _Bucket(name=settings.derived, lock_days=None),
        _Bucket(name=settings.worm_probe, lock_days=1),
    )


def _difference(client: Minio, bucket: _Bucket) -> str | None:
    with mapped(bucket.name):
        if not client.bucket_exists(bucket.name):
            return f"bucket {bucket.name} does not exist, make it with `unbroken store apply`"
        if bucket.lock_days is None:
            return None
        held = _held_days(client, bucket.name)
    if held is None:
        return f"bucket {bucket.name} was made without Object Lock, which is given at creation only: use another UNBROKEN_BUCKET_PREFIX"
    if held < bucket.lock_days:
        return f"bucket {bucket.name}: default retention: expected COMPLIANCE for {bucket.lock_days} days, found {held}"
    return None


def _held_days(client: Minio, name: str) -> int | None:
    """Days of the default COMPLIANCE retention, 0 if there is none; ``None`` if the bucket cannot lock."""
    try:
        found = client.get_object_lock_config(name)
    except S3Error as exc:
        if exc.code == "ObjectLockConfigurationNotFoundError":
            return None
        raise
    if found.mode != COMPLIANCE:
        return 0
    return (found.duration or 0) * (365 if found.duration_unit == YEARS else 1)
