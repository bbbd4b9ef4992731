"""The probe's bucket on a real server: raw requests of the kinds the product itself never makes (deletes, weaker locks).

The bucket is made for it, apart from all evidence, with Object Lock and a default retention of a day.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from importlib.metadata import version
from typing import Any, Final, TypeVar, cast

from minio import Minio
from minio.commonconfig import COMPLIANCE, ENABLED, Filter
from minio.datatypes import Part
from minio.deleteobjects import DeleteObject
from minio.error import S3Error
from minio.lifecycleconfig import Expiration, LifecycleConfig, NoncurrentVersionExpiration, Rule
from minio.objectlockconfig import DAYS, ObjectLockConfig
from minio.retention import Retention
from minio.versioningconfig import SUSPENDED, VersioningConfig

from pipeline.adapters.clock import SystemClock
from pipeline.adapters.objects_answers import mapped, says_full
from pipeline.adapters.objects_s3 import KNOWN_DIGEST, open_client, open_store, parse_lock_time
from pipeline.domain.archive import LockMode
from pipeline.domain.errors import Misconfigured, ObjectMissing, StoreError, UnbrokenError
from pipeline.domain.time import WallMs
from pipeline.domain.worm import WormReport
from pipeline.policy import load_policy
from pipeline.settings import Settings
from pipeline.steps.worm import Locked, Refused, find_left, keep_report, make_report

_GONE: Final = ("NoSuchKey", "NoSuchVersion")
T = TypeVar("T")


def open_probe_bucket(settings: Settings) -> WormS3:
    """The bucket ``worm-probe`` of this installation, made if need be, expired leftovers of earlier probes taken away."""
    client, name = open_client(settings), settings.worm_probe
    with mapped(name):
        if not client.bucket_exists(name):
            client.make_bucket(name, object_lock=True)
            client.set_object_lock_config(name, ObjectLockConfig(COMPLIANCE, 1, DAYS))
        for _ in client.remove_objects(name, _leftovers(client, name)):
            pass  # each is one whose lock still holds
    return WormS3(client, name)


def _leftovers(client: Minio, name: str) -> list[DeleteObject]:
    """Every version, and the markers on keys that have none left: a marker on a key under a lifecycle rule shows that the
    rule acted."""
    listed = list(client.list_objects(name, recursive=True, include_version=True))
    kept = {item.object_name for item in listed if not item.is_delete_marker}
    return [
        DeleteObject(str(item.object_name), item.version_id)
        for item in listed
        if not (item.is_delete_marker and item.object_name in kept)
    ]


def look_at_store(settings: Settings) -> tuple[WormReport, str | UnbrokenError]:
    """Try the installation's store and keep the report; returns the report, and its key or why it could not be kept.

    Raises what the store raises while it does not answer.
    """
    clock, store = SystemClock(), open_store(settings)
    try:
        earlier = find_left(store, settings.records, clock.now())
    except Misconfigured:
        earlier = None  # no bucket of records yet: nothing was left either
    report = make_report(
        open_probe_bucket(settings),
        clock,
        store=settings.store_url,
        software=f"unbroken {version('unbroken')}",
        earlier=earlier,
    )
    try:
        return report, keep_report(
            store, settings.records, report, load_policy(settings.policy).provisional_retention_s
        )
    except (StoreError, Misconfigured) as exc:
        return report, exc


class WormS3:
    """:class:`pipeline.steps.worm.ProbeBucket` over S3."""

    def __init__(self, client: Minio, name: str) -> None:
        self._client = client
        self._name = name

    def put(self, key: str, data: bytes, until: WallMs | None, *, parts: bool = False, new: bool = False) -> str:
        headers = _lock_headers(until)
        if parts:
            return self._asked(key, lambda: self._put_parts(key, data, headers))
        if new:
            headers["If-None-Match"] = "*"
        headers |= {"x-amz-sdk-checksum-algorithm": "SHA256", "x-amz-checksum-sha256": _base64_digest(data)}
        response = self._asked(key, lambda: self._request("PUT", key, headers, data))
        return response.headers.get("x-amz-version-id") or ""

    def put_wrong(self, key: str, data: bytes, *, signed: bool) -> None:
        other = data + b"."
        headers = {KNOWN_DIGEST: hashlib.sha256(other).hexdigest()} if signed else {}
        headers["x-amz-checksum-sha256"] = _base64_digest(data if signed else other)
        self._asked(key, lambda: self._request("PUT", key, headers, data))

    def delete(self, key: str, version: str | None, *, bypass: bool = False, batch: bool = False) -> None:
        if batch:
            entry = DeleteObject(key, version)
            errors = self._asked(key, lambda: list(self._client.remove_objects(self._name, [entry])))
            if errors:
                raise Refused(f"{errors[0].code}, in an answer of 200")
            return
        headers = {"x-amz-bypass-governance-retention": "true"} if bypass else {}
        query = {"versionId": version} if version else {}
        self._asked(key, lambda: self._request("DELETE", key, headers, None, query))

    def retain(self, key: str, version: str, mode: LockMode, until: WallMs) -> None:
        wanted = Retention(mode, datetime.fromtimestamp(until // 1000, UTC))
        self._asked(key, lambda: self._client.set_object_retention(self._name, key, wanted, version_id=version))

    def hold(self, key: str, version: str, on: bool) -> None:
        change = self._client.enable_object_legal_hold if on else self._client.disable_object_legal_hold
        self._asked(key, lambda: change(self._name, key, version_id=version))

    def expire(self, prefix: str) -> None:
        rule = Rule(
            ENABLED,
            rule_filter=Filter(prefix=prefix),
            rule_id="probe",
            expiration=Expiration(days=1),
            noncurrent_version_expiration=NoncurrentVersionExpiration(noncurrent_days=1),
        )
        self._asked("", lambda: self._client.set_bucket_lifecycle(self._name, LifecycleConfig([rule])))

    def suspend_versions(self) -> None:
        self._asked("", lambda: self._client.set_bucket_versioning(self._name, VersioningConfig(SUSPENDED)))

    def delete_bucket(self) -> None:
        self._asked("", lambda: self._request("DELETE", None, {"x-minio-force-delete": "true"}, None))

    def read(self, key: str, version: str | None) -> bytes:
        query = {"versionId": version} if version else {}
        response = self._asked(key, lambda: self._request("GET", key, {}, None, query))
        return cast(bytes, response.data)

    def locked(self, key: str, version: str) -> Locked:
        headers = self._asked(key, lambda: self._request("HEAD", key, {}, None, {"versionId": version})).headers
        mode = headers.get("x-amz-object-lock-mode")
        until = parse_lock_time(headers.get("x-amz-object-lock-retain-until-date"))
        return Locked(cast(LockMode, mode) if mode in ("COMPLIANCE", "GOVERNANCE") else "none", until)

    def now(self) -> WallMs:
        date = self._asked("", lambda: self._request("HEAD", None, {}, None)).headers.get("Date")
        if not date:
            raise StoreError(f"the store does not tell its time ({self._name})")
        return WallMs(int(parsedate_to_datetime(date).timestamp() * 1000) + 500)  # whole seconds: their middle

    def _put_parts(self, key: str, data: bytes, headers: dict[str, Any]) -> str:
        upload = self._client._create_multipart_upload(self._name, key, headers)
        etag = self._client._upload_part(self._name, key, data, {}, upload, 1)
        self._client._complete_multipart_upload(self._name, key, upload, [Part(1, etag)])
        return self._request("HEAD", key, {}, None).headers.get("x-amz-version-id") or ""

    def _request(
        self, method: str, key: str | None, headers: Any, body: bytes | None, query: dict[str, str] | None = None
    ) -> Any:
        return self._client._execute(
            method, self._name, key, body=body, headers=headers, query_params=cast(Any, query or {})
        )

    def _asked(self, key: str, ask: Callable[[], T]) -> T:
        """The answer; a no (4xx, and 501 from a server that lacks what was asked for) as :class:`Refused`, everything else as the store's errors:
        want of room says nothing about locks."""
        with mapped(f"{self._name}/{key}"):
            try:
                return ask()
            except S3Error as exc:
                if exc.code in _GONE:
                    raise ObjectMissing(f"the store does not hold this version: {exc.code}") from exc
                if not says_full(exc) and (400 <= exc.response.status < 500 or exc.response.status == 501):
                    raise Refused(exc.code or f"HTTP {exc.response.status}") from exc
                raise


def _lock_headers(until: WallMs | None) -> dict[str, Any]:
    if until is None:
        return {}
    date = datetime.fromtimestamp(until // 1000, UTC)
    return {
        "x-amz-object-lock-mode": "COMPLIANCE",
        "x-amz-object-lock-retain-until-date": f"{date:%Y-%m-%dT%H:%M:%S}.000Z",
    }


def _base64_digest(data: bytes) -> str:
    return base64.b64encode(hashlib.sha256(data).digest()).decode()
