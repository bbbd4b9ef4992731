"""Errors: "could not find out", named for what the reader should do next.

Every error says whether doing the same again may help (``retryable``); callers decide by that attribute and never by
reading messages. Adapters map foreign exceptions to these at one place each, keeping the cause.
"""


class UnbrokenError(Exception):
    """Base of every error of ours."""

    retryable: bool = False


class Malformed(UnbrokenError):
    """The bytes are not what their schema promises. Quarantine them; repeating cannot help."""


class UnsupportedVersion(Malformed):
    """A schema major we do not know. Quarantine; release it after an upgrade."""


class StatementDiffers(UnbrokenError):
    """Two statements have one id and say different things. The first stays; say the other again under an id of its own."""


class StoreError(UnbrokenError):
    """The object store refused or failed."""


class StoreUnavailable(StoreError):
    """The store did not answer; the object's state is unknown. Look, then repeat."""

    retryable = True


class ObjectMissing(StoreError):
    """The store answered and does not hold this object."""


class ObjectDiffers(StoreError):
    """The store holds other bytes under this key than we recorded. Stop and investigate; nothing was overwritten."""


class NotLocked(StoreError):
    """The store accepted an object and does not lock it. Nothing is archived there until it passes the lock check."""


class StoreUntrusted(StoreError):
    """The store was not lately seen to keep its locks. Nothing goes there; run `unbroken doctor worm`."""

    retryable = True


class StoreFull(StoreError):
    """The store has no room, or a quota is used up; nothing was stored. Give it room: the work goes on by itself."""

    retryable = True


class AccessRefused(StoreError):
    """The store knows us and says no. Check the keys and policy; waiting may help once they are mended."""

    retryable = True


class MediaError(UnbrokenError):
    """A media file could not be read as far as needed; the segment is judged unreadable, its bytes are kept."""


class MediaUnreadable(MediaError):
    """The reader gave up on these bytes for a reason that will not change."""


class ProbeDied(MediaError):
    """The process that read the file crashed, hung or ran out of memory."""


class SourceFileChanged(UnbrokenError):
    """A file changed while it was read. Let the recorder finish, then import again."""

    retryable = True


class DiskFull(UnbrokenError):
    """A disk of ours is full. Make room on the one that is named: the work goes on by itself, nothing was lost."""

    retryable = True


class BrokerUnavailable(UnbrokenError):
    """Kafka did not answer in time. Start it or wait; nothing was lost."""

    retryable = True


class Misconfigured(UnbrokenError):
    """The installation differs from what the product needs. Mend what the message names, then start again."""


class HistoryMissing(UnbrokenError):
    """Events this step must read again are no longer on the broker. Rebuild from the archive."""


class StateUnreadable(UnbrokenError):
    """A stage's state was written by another release, or by nobody of ours. Stop the workers, run `unbroken rebuild`."""


class ChainBroken(UnbrokenError):
    """A recording's links do not prove each other. It is not archived; find out who wrote the link topic."""
