"""Roles: what each key of ours may do in each bucket, as bucket policies. Each process runs with the key of its role.

1. Connectors put originals and read them back. They cannot touch a lock.
2. The archive (ledger worker, `hold`, `retention`) puts records and derivatives, reads, makes locks longer, and sets and
   takes off legal holds, which no lock stands behind: who took one off is in the register (docs/keeping.md). On the probe's bucket, which
   holds no evidence, it may do everything: where its key may not delete, a refusal would prove nothing of locks.
3. Verifiers (media worker, ``unbroken verify``, ``recordings``) read. Viewers (``unbroken play``) also put records of
   viewings, which are locked like all records, and derivatives. Neither can touch a lock.
4. Nobody deletes a version of evidence, passes by a lock or gives an object away, the owner of the buckets included: that
   is a denial and wins over whatever else a key may do. Only who owns the buckets can lift it, and that is an act of its own.
5. The owner's key makes buckets and policies. It does not read what others put: that is the verifier's business.

The names of users are the server's business: a policy holds them as they are configured. Tried on Ceph RGW 16.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from minio import Minio
from minio.error import S3Error

from pipeline.settings import Settings

_LOOK: Final = (
    "s3:ListBucket",
    "s3:ListBucketVersions",
    "s3:ListBucketMultipartUploads",
    "s3:GetBucketObjectLockConfiguration",
)
_READ: Final = ("s3:GetObject", "s3:GetObjectVersion", "s3:GetObjectRetention", "s3:GetObjectLegalHold")
_PUT: Final = (*_READ, "s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts")
_KEEP: Final = (*_PUT, "s3:PutObjectRetention", "s3:PutObjectLegalHold")
_NEVER: Final = (
    "s3:DeleteObject",
    "s3:DeleteObjectVersion",
    "s3:BypassGovernanceRetention",
    "s3:PutObjectAcl",
    "s3:PutObjectVersionAcl",
)
_LOCKS: Final = ("s3:PutObjectRetention", "s3:PutObjectLegalHold")
"""Denied to whoever may not: an object belongs to the key that put it, and its owner may what no policy denies."""


def policies(settings: Settings) -> Mapping[str, Mapping[str, Any]]:
    """The policy of each bucket by its name; empty when the settings name no role's user."""
    connector, archive = settings.store_connector, settings.store_archive
    verifier, viewer = settings.store_verifier, settings.store_viewer
    users = [user for user in (connector, archive, verifier, viewer) if user]
    if not users:
        return {}
    allowed = {
        settings.originals: ((connector, _PUT), (archive, _KEEP), (verifier, _READ), (viewer, _READ)),
        settings.records: ((connector, _READ), (archive, _KEEP), (verifier, _READ), (viewer, _READ)),
        settings.derived: ((archive, _PUT), (verifier, _READ), (viewer, _PUT)),
        settings.worm_probe: ((archive, ("s3:*",)),),
    }
    evidence = (settings.originals, settings.records)
    return {
        bucket: {
            "Version": "2012-10-17",
            "Statement": [
                _statement("Allow", users, _LOOK, bucket, ""),
                *(_statement("Allow", [user], actions, bucket, "/*") for user, actions in given if user),
                *(
                    [_statement("Allow", [archive], ("s3:*",), bucket, "")]
                    if bucket == settings.worm_probe and archive
                    else []
                ),
                *(
                    [_statement("Allow", [viewer], ("s3:PutObject",), bucket, "/views/*")]
                    if bucket == settings.records and viewer
                    else []
                ),
                *(_denials(settings, bucket) if bucket in evidence else []),
            ],
        }
        for bucket, given in allowed.items()
    }


def _denials(settings: Settings, bucket: str) -> Iterator[dict[str, Any]]:
    yield _statement("Deny", ["*"], _NEVER, bucket, "/*")
    others = [user for user in (settings.store_connector, settings.store_verifier, settings.store_viewer) if user]
    if others:
        yield _statement("Deny", others, _LOCKS, bucket, "/*")


def apply_policies(client: Minio, settings: Settings) -> list[str]:
    """Put each policy that differs from the bucket's; returns a line for each change."""
    done = []
    for bucket, wanted in policies(settings).items():
        if _current(client, bucket) != wanted:
            client.set_bucket_policy(bucket, json.dumps(wanted))
            done.append(f"policy of {bucket}: roles")
    return done


def _current(client: Minio, bucket: str) -> Any:
    try:
        return json.loads(client.get_bucket_policy(bucket))
    except S3Error as exc:
        if exc.code == "NoSuchBucketPolicy":
            return None
        raise


def _statement(effect: str, users: list[str], actions: tuple[str, ...], bucket: str, below: str) -> dict[str, Any]:
    return {
        "Effect": effect,
        "Principal": {"AWS": users},
        "Action": list(actions),
        "Resource": [f"arn:aws:s3:::{bucket}{below}"],
    }
