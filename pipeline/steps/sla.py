"""SLA, the step: the archive is asked for what a report needs, the report is signed, and the daily ones are put under lock.

A day is reported once all of its deadlines are decided, a day and an hour after it ended; while one is not, because whoever
decides it stands still, the report waits, as long as the day is looked back at. Days a worker missed are made up for, as far
back as it looks; a day on which nothing was owed gets none. What stands is never written again: of two workers
that report the same day, the first one's report is the one.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo
from typing import Final, NamedTuple

from pipeline.domain import sla
from pipeline.domain.annotation import Annotation
from pipeline.domain.breach import BREACH_FOLDER, is_breach_key
from pipeline.domain.canonical import canonical
from pipeline.domain.continuity import RecordingEnded
from pipeline.domain.docket import DeadlineChanged
from pipeline.domain.duty import Camera
from pipeline.domain.errors import ObjectDiffers, ObjectMissing, StoreUntrusted
from pipeline.domain.identity import Sha256, SourceId, SourceKind
from pipeline.domain.policy import Policy
from pipeline.domain.seal import with_signature
from pipeline.domain.time import WallMs
from pipeline.ports import Clock, ObjectStore, Signer, StoreTrust
from pipeline.wire import codec, topics
from pipeline.wire.statements import archived

LOOKS_AT_ONCE: Final = 8
DAYS_BACK: Final = 7
GRACE_PARTS: Final = 24
"""A day is left alone for this part of the deadline (an hour of 24) after its last one: news of it may be under way."""
_RECEIPT: Final = re.compile(r"r([1-9][0-9]*)/receipt\.json")

Period = tuple[WallMs, WallMs]


class Heard(NamedTuple):
    """What the broker tells: deadlines and statements of a time, cameras as they stand, and what is not there any more."""

    changes: Sequence[DeadlineChanged]
    said: Sequence[Annotation]
    cameras: Mapping[SourceId, tuple[SourceKind, Camera]]
    not_known: tuple[str, ...] = ()


def decided_at(period: Period, policy: Policy) -> WallMs:
    """From when on all deadlines of *period* should be decided, and heard of."""
    deadline_ms = policy.deadline_s * 1000
    return WallMs(period[1] + deadline_ms + deadline_ms // GRACE_PARTS)


def day_of(day: date, zone: tzinfo | None) -> Period:
    """A calendar day of *zone* (the machine's own when ``None``) as instants."""
    first, last = (datetime(each.year, each.month, each.day) for each in (day, day + timedelta(days=1)))
    starts = [each.replace(tzinfo=zone) if zone is not None else each.astimezone() for each in (first, last)]
    return WallMs(round(starts[0].timestamp() * 1000)), WallMs(round(starts[1].timestamp() * 1000))


@dataclass(frozen=True, kw_only=True)
class SlaStep:
    """*hear* asks the broker for a period's deadlines and statements. *zone*: whose days the daily reports are of."""

    store: ObjectStore
    hear: Callable[[Period], Heard]
    signer: Signer
    clock: Clock
    policy: Policy
    records: str
    software: str
    zone: tzinfo | None = None

    def facts(self, period: Period, unit: str | None) -> sla.Facts:
        """Everything a report of *period* is made of."""
        heard = self.hear(period)
        # Events the broker does not keep so long: those of misses stand in the archive too.
        changes = [*heard.changes, *(self._breaches() if heard.not_known else ())]
        wanted = sla.in_period(changes, unit, period, self.policy)
        with ThreadPoolExecutor(LOOKS_AT_ONCE, thread_name_prefix="sla") as pool:
            found = dict(zip(wanted, pool.map(self._kept, wanted), strict=True))
        return sla.Facts(
            changes=tuple(changes),
            kept={name: kept for name, kept in found.items() if kept is not None},
            said=tuple(heard.said),
            cameras=heard.cameras,
            not_known=heard.not_known,
        )

    def report(self, facts: sla.Facts, period: Period, unit: str | None) -> sla.SlaReport:
        """The report of *facts* as of now."""
        return sla.report(facts, unit, period, self.clock.now(), self.policy, self.software)

    def sign(self, made: sla.SlaReport) -> bytes:
        """The document of *made*, signed."""
        unsigned = sla.document(made, self.signer.key_id)
        return with_signature(unsigned, self.signer.sign(canonical(unsigned)))

    def keep_days(self) -> list[str]:
        """Put the reports of the days that are decided and not reported yet; returns the keys written."""
        now = self.clock.now()
        today = datetime.fromtimestamp(now / 1000, self.zone).date()
        written = []
        for back in range(DAYS_BACK, 0, -1):
            day = today - timedelta(days=back)
            period = day_of(day, self.zone)
            if decided_at(period, self.policy) <= now and not self._stands(day):
                written += self._keep_day(day, period, undecided=back == DAYS_BACK)
        return written

    def _keep_day(self, day: date, period: Period, *, undecided: bool = False) -> list[str]:
        """*undecided*: whether a report may stand that is not complete, because the day is not looked at again."""
        facts = self.facts(period, None)
        whole = self.report(facts, period, None)
        units = sorted({item.unit for item in whole.recordings} | {c.unit for c in whole.cameras if c.owed_ms})
        if not units or not (whole.complete or undecided):
            return []
        written = [self._put(day, unit, self.report(facts, period, unit)) for unit in units]
        # The one of all units last: where it stands, the day is done.
        return [key for key in (*written, self._put(day, None, whole)) if key is not None]

    def _put(self, day: date, unit: str | None, made: sla.SlaReport) -> str | None:
        key, data = sla.report_key(day.isoformat(), unit), self.sign(made)
        until = WallMs(made.end + self.policy.provisional_retention_s * 1000)
        try:
            self.store.put_bytes(self.records, key, data, Sha256(hashlib.sha256(data).hexdigest()), retain_until=until)
        except ObjectDiffers:
            return None  # another worker was faster, or this one before it was stopped: that report stands
        return key

    def _stands(self, day: date) -> bool:
        try:
            self.store.stat(self.records, sla.report_key(day.isoformat(), None))
        except ObjectMissing:
            return False
        return True

    def _breaches(self) -> list[DeadlineChanged]:
        keys = [stat.key for stat in self.store.list(self.records, BREACH_FOLDER) if is_breach_key(stat.key)]
        with ThreadPoolExecutor(LOOKS_AT_ONCE, thread_name_prefix="sla") as pool:
            read = pool.map(lambda key: json.loads(self.store.read(self.records, key)), keys)
            return [codec.load_state(DeadlineChanged, {**fields, "format": None}) for fields in read]

    def _kept(self, named: sla.Named) -> sla.Kept | None:
        """What the archive holds of a recording: its newest account, and the date of its first receipt."""
        place = f"recordings/{named[0]}/{named[1]}/"
        listed = [stat.key[len(place) :] for stat in self.store.list(self.records, place)]
        numbers = sorted(int(match[1]) for name in listed if (match := _RECEIPT.fullmatch(name)))
        if not numbers:
            return None
        receipt = codec.decode(
            topics.ARCHIVED.name, self.store.read(self.records, f"{place}r{numbers[0]}/receipt.json")
        )
        manifest = json.loads(self.store.read(self.records, f"{place}r{numbers[-1]}/manifest.json"))
        account = codec.load_state(RecordingEnded, manifest["account"])
        return sla.Kept(
            verdict=account.verdict,
            covered_ms=account.covered_ms,
            runs=account.runs,
            gaps=account.gaps,
            archived_at=receipt.archived_at,
            statements=tuple(archived(manifest)),
        )


class DailyReports:
    """Keeps the daily reports coming, in a thread of its own."""

    def __init__(
        self, step: SlaStep, trust: StoreTrust, interval_s: int, told: Callable[[Sequence[str] | Exception], None]
    ) -> None:
        self._step, self._trust, self._interval_s, self._told = step, trust, interval_s, told

    def look(self) -> None:
        """Write what is due. Raises nothing; a store that is not trusted gets nothing."""
        try:
            self._trust.require()
            self._told(self._step.keep_days())
        except StoreUntrusted:
            return
        except Exception as exc:  # told, and tried again at the next look
            self._told(exc)

    def watch(self, sleep: Callable[[float], None] = time.sleep) -> None:
        """Look for ever."""
        while True:
            sleep(self._interval_s)
            self.look()
