"""What an S3 server's answers mean: foreign errors become ours here and nowhere else, named for what to do next.

A code says more than a status, and counts first. No answer, half an answer and a failure of the store's own are tried again
(``StoreUnavailable``); want of room is too, and says so (``StoreFull``); what we may not or cannot do is not.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import urllib3
from minio.error import InvalidResponseError, MinioException, S3Error, ServerError

from pipeline.domain.errors import (
    AccessRefused,
    Misconfigured,
    ObjectMissing,
    StoreError,
    StoreFull,
    StoreUnavailable,
)

_BY_CODE: Final[dict[str, tuple[type[Exception], str]]] = {
    "NoSuchKey": (ObjectMissing, "the store does not hold this object"),
    "NoSuchVersion": (ObjectMissing, "the store does not hold this version"),
    "NoSuchUpload": (ObjectMissing, "the store does not know this upload"),
    "NoSuchBucket": (Misconfigured, "the bucket does not exist, make it with `unbroken store apply`"),
    "ObjectLockConfigurationNotFoundError": (Misconfigured, "the bucket was made without Object Lock"),
    "InvalidRequest": (StoreError, "the store refused the request"),
    "XAmzContentSHA256Mismatch": (StoreUnavailable, "the bytes changed on their way to the store"),
    "BadDigest": (StoreUnavailable, "the bytes changed on their way to the store"),
    "RequestTimeout": (StoreUnavailable, "the store stopped waiting for our bytes"),
    "QuotaExceeded": (StoreFull, "the store's quota is used up, raise it or give the store room"),
    "XMinioStorageFull": (StoreFull, "the store is full, give it room"),
    "SlowDown": (StoreUnavailable, "the store is overloaded"),
    "RequestTimeTooSkewed": (AccessRefused, "the store's clock and ours differ too much"),
    "InvalidAccessKeyId": (AccessRefused, "the store does not know this access key"),
    "SignatureDoesNotMatch": (AccessRefused, "the secret key is not the store's"),
    "AccessDenied": (AccessRefused, "these keys may not do this"),
}
_BY_STATUS: Final[dict[int, tuple[type[Exception], str]]] = {
    403: (AccessRefused, "these keys may not do this"),
    404: (ObjectMissing, "the store does not hold this object"),
    507: (StoreFull, "the store is full, give it room"),
    408: (StoreUnavailable, "the store stopped waiting for us"),
    429: (StoreUnavailable, "the store is overloaded"),
}


@contextmanager
def mapped(where: str) -> Iterator[None]:
    """Raises what the store's answer, or want of one, means; *where* ends the message."""
    try:
        yield
    except S3Error as exc:
        kind, what = _BY_CODE.get(exc.code or "") or _by_status(exc.response.status)
        raise kind(f"{what}: {exc.code} {exc.message or ''}".rstrip() + f" ({where})") from exc
    except (ServerError, InvalidResponseError) as exc:
        status = exc.status_code if isinstance(exc, ServerError) else exc._code
        kind, what = _by_status(status)
        raise kind(f"{what}: HTTP {status} ({where})") from exc
    except urllib3.exceptions.SSLError as exc:
        what = "the store's certificate is not believed; UNBROKEN_STORE_CA_FILE names the authority that signed it"
        raise StoreUnavailable(f"{what}: {exc} ({where})") from exc
    except urllib3.exceptions.ReadTimeoutError as exc:
        # Ceph with full disks: reads are answered, a write is held until there is room (seen on 16.2).
        raise StoreUnavailable(
            f"the store does not answer: ReadTimeoutError; if it took a write, its disks may be full ({where})"
        ) from exc
    except (urllib3.exceptions.HTTPError, ConnectionError, TimeoutError) as exc:
        raise StoreUnavailable(
            f"the store does not answer, start it or mend UNBROKEN_STORE_URL: {type(exc).__name__} ({where})"
        ) from exc
    except MinioException as exc:
        raise StoreError(f"the store's answer was not understood: {exc} ({where})") from exc


def says_full(error: S3Error) -> bool:
    """Whether a refusal is for want of room, and says nothing about what was asked."""
    return _BY_CODE.get(error.code or "", (None, ""))[0] is StoreFull


def _by_status(status: int) -> tuple[type[Exception], str]:
    other = (StoreUnavailable, "the store failed") if status >= 500 else (StoreError, "the store refused the request")
    return _BY_STATUS.get(status, other)
