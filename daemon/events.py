"""The events that a log record can be about, by name.

A record that a program or a test may wait for carries its event: `log.info("…", extra=about(Event.PAINTED, style=…))`.
The wording of a message may change at any time; the name of its event stays. journald gets it as STYLED_EVENT.
"""

from enum import StrEnum


class Event(StrEnum):
    """What happened. A name never changes its meaning."""

    # the daemon
    READY = "ready"  # the model is loaded, the inbox is watched and was listed once
    RECOVERED = "recovered"  # jobs of the run before were finished or put back
    GIVEN_UP = "given_up"  # --once: what is left cannot be painted now
    STOPPED = "stopped"  # what the run did
    CRASHED = "crashed"
    PAUSED = "paused"  # nothing can be painted for the moment
    RESUMED = "resumed"
    STALLED = "stalled"  # a job makes no progress; systemd gets no sign of life
    # settings
    SETTINGS_TAKEN = "settings_taken"
    SETTINGS_REJECTED = "settings_rejected"
    RESTART_NEEDED = "restart_needed"  # a changed setting takes effect at the next start
    STYLE_DOWN = "style_down"  # its picture is missing at the start
    STYLE_REMOVED = "style_removed"
    # the inbox
    WATCHING = "watching"
    POLLING = "polling"  # the system announces no changes there
    WATCH_LOST = "watch_lost"
    INBOX_MISSING = "inbox_missing"
    INBOX_BACK = "inbox_back"
    LEFT_ALONE = "left_alone"  # an entry that is not painted, with the reason
    UNREADABLE = "unreadable"  # a photo that styled has no right to read or to move
    STILL_GROWING = "still_growing"  # a photo changed after it was claimed and went back
    # a job
    PAINTED = "painted"
    FAILED = "failed"
    RETRY = "retry"  # a process died on the photo; it goes back and is tried again
    SECOND_TRY = "second_try"  # the painting was degenerate; it is painted again with safe settings
    SPREAD = "spread"  # a photo for several styles; a copy of it is in the inbox of each
    RETURNED = "returned"  # a machine was lost; the photo goes back without blame
    JOB_BROKE = "job_broke"  # a bug of styled's ended one job
    STRANDED = "stranded"  # a job stays in work/ for now
    RECORD_DAMAGED = "record_damaged"
    FOLDER_PAUSED = "folder_paused"  # the photos of one folder cannot be painted for the moment
    FOLDER_RESUMED = "folder_resumed"
    # processes
    DEVICE_TESTED = "device_tested"  # several photos in a row ended their painter
    WORKER_FAILED = "worker_failed"
    WORKER_RECOVERED = "worker_recovered"
    MEMORY_SHORT = "memory_short"  # the painting goes on by another plan
    EAGER = "eager"  # a GPU cannot replay the steps of a painting; they are launched one by one, which is slower
    DEVICE_SKIPPED = "device_skipped"  # device: auto passes over a GPU that this torch cannot use
    CONVERGED = "converged"  # the picture stopped changing before its last evaluation
    CLUSTER_SIZE = "cluster_size"
    CLUSTER_JOINED = "cluster_joined"
    CLUSTER_LEFT = "cluster_left"
    CLUSTER_LOST = "cluster_lost"
    CLUSTER_BACK = "cluster_back"
    # beside the work
    UNSYNCED = "unsynced"  # a filesystem does not sync folders
    GALLERY_FAILED = "gallery_failed"
    HOOK_FAILED = "hook_failed"
    LISTENER_FAILED = "listener_failed"
    EXPIRED = "expired"  # files were kept long enough and were removed
    NOT_EXPIRED = "not_expired"  # files were kept long enough and cannot be removed
    CLOCK_LEAPT = "clock_leapt"  # the wall clock was set
    HOUSEKEEPING_FAILED = "housekeeping_failed"
    ROOT_REPLACED = "root_replaced"
    PICTURE_NOTE = "picture_note"  # something in a photo's file is ignored


def about(event: Event, **fields: object) -> dict[str, object]:
    """The `extra` of a log record: its event and what is known of it (path, style, seconds)."""
    return {"event": str(event), **fields}
