"""The way of a photo from the inbox to the outbox: claim, read, paint, deliver."""

import contextlib
import dataclasses
import functools
import logging
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from daemon.config.load import load_sidecar
from daemon.config.models import Config, Sidecar
from daemon.config.settings import Settings
from daemon.errors import (
    ConfigError,
    JobError,
    PainterDied,
    RetryLater,
    ServicePaused,
    ShuttingDown,
    SourceChanged,
    Unreadable,
    WorkerDied,
    WorkerLost,
)
from daemon.events import Event, about
from daemon.filenames import MASK, SIDECAR, extension_of, output_format
from daemon.inbox.photo import InboxPhoto, Signature
from daemon.jobs.claims import JobStore
from daemon.jobs.failures import TRIES, FailureTracker, Verdict, broken_down, device_works, last_line, unpaintable
from daemon.jobs.record import Job, JobResult
from daemon.jobs.safe_retry import paint_with_safe_retry
from daemon.jobs.spread import styles_of
from daemon.jobs.trace import PaintResult, StepLog
from daemon.previews import Thumbnails
from daemon.processes.painters import Painters
from daemon.processes.readers import Photo, Readers, too_large
from daemon.processes.shared_array import SharedArray
from daemon.processes.style_cache import StyleCache
from daemon.provenance import Provenance
from daemon.status import Status
from daemon.storage.files import Handle, sha256
from daemon.text import escape, words
from daemon.transfer.recipe import Recipe
from daemon.transfer.steps import Step

log = logging.getLogger("styled")


@dataclass(frozen=True, slots=True)
class JobContext:
    """A claimed photo, open, with the settings that it began with."""

    job: Job
    signature: Signature
    home: Path  # the folder of the inbox that the photo was taken from
    file: Handle
    source_sha256: str
    settings: Settings
    config: Config


class Pipeline:
    """`run` is the whole way of one photo. Several threads may call it."""

    def __init__(
        self,
        jobs: JobStore,
        readers: Readers,
        painters: Painters,
        status: Status,
        notify: Callable[[JobResult], None] = lambda result: None,
    ) -> None:
        """`notify` gets the result of every job that ends in outbox/ or failed/; it raises nothing."""
        self.jobs = jobs
        self.delivery = jobs.delivery
        self.readers = readers
        self.painters = painters
        self.status = status
        self.notify = notify
        self.styles = StyleCache(readers)
        self.failures = FailureTracker()

    def run(self, photo: InboxPhoto, config: Config) -> None:
        """Claim, read, paint, deliver. A JobError ends here: the photo goes to failed/. Any other exception puts the
        photo back into the inbox. Raises RetryLater, ServicePaused, ShuttingDown and OSError."""
        job = self.jobs.take(photo)
        if job is None:
            return
        with self._in_hand(job):
            started = time.monotonic()
            try:
                if self.spread(job, photo.signature, config):
                    return
                context = self.open(job, photo, config)
                content = self.read(context)
                result = self.paint(context, content)
                path, record, thumbnails = self.deliver(context, content, result)
            except JobError as error:
                self.fail(job, error, started)
            except (WorkerDied, Unreadable) as death:
                self.judge(job, photo.signature, death, started, config)
            except SourceChanged:
                self.jobs.put_back(job)
                extra = about(Event.STILL_GROWING, style=job.style)
                log.info("%s has changed, or its sidecar or mask has; it waits in the inbox", job, extra=extra)
            except WorkerLost as loss:
                self.jobs.put_back(job)
                extra = about(Event.RETURNED, style=job.style)
                log.warning("%s goes back into the inbox and is painted again: %s", job, loss, extra=extra)
            except (RetryLater, ShuttingDown, ConfigError, OSError):
                raise
            except Exception as bug:
                self.break_off(job, photo.signature, bug, started)
            else:
                self.failures.painted(photo.signature)
                waited, film = max(0.0, time.monotonic() - started - result.seconds), self.film(job, result)
                seconds = result.seconds
                ended = JobResult(job.id, job.place, job.style, path, "", seconds, waited, record, thumbnails, film)
                self.report(ended)

    @contextlib.contextmanager
    def _in_hand(self, job: Job) -> Iterator[None]:
        """Show the job in the status, and put the photo into a safe folder at any exception, even in an error's
        handler."""
        self.status.begin(job.id, job.place, job.style)
        try:
            yield
        except BaseException as error:
            self.jobs.abandon(job)
            self.status.count(returned=isinstance(error, ShuttingDown))
            raise
        finally:
            self.status.end(job.id)

    def spread(self, job: Job, signature: Signature, config: Config) -> bool:
        """Whether the photo is for other styles than its folder's, and copies of it now lie in their inboxes. Raises
        SourceChanged if the photo is still being written."""
        try:
            sidecar = self._sidecar(job, config)
            styles = styles_of(job, sidecar.style if sidecar else (), config.styles)
            if styles:
                self.status.stage(job.id, "going to its styles")
                self.jobs.spread(job, signature, styles, config.max_megapixels)
        except JobError:
            return False  # `open` enters the photo in the journal and says the same
        if styles:
            extra = about(Event.SPREAD, style=job.style, styles=styles)
            log.info("%s goes to %s", job, words(map(escape, styles), "and"), extra=extra)
        return bool(styles)

    def _sidecar(self, job: Job, config: Config) -> Sidecar | None:
        file = self.jobs.companion(job, SIDECAR)
        return load_sidecar(_text(file), job.name + SIDECAR, config.styles) if file else None

    def open(self, job: Job, photo: InboxPhoto, config: Config) -> JobContext:
        """Raises SourceChanged if the photo is still being written, JobError if its sidecar does not validate."""
        file, digest = self.jobs.open(job, photo.signature, config.max_megapixels)
        settings = config.settings(job.style, self._sidecar(job, config))
        return JobContext(job, photo.signature, Path(photo.path).parent, file, digest, settings, config)

    def read(self, context: JobContext) -> Photo:
        """The photo, decoded at the size that it is painted in. Raises JobError if it cannot be decoded."""
        self.status.stage(context.job.id, "reading")
        if os.fstat(context.file.fd).st_size == 0:
            raise JobError("The file is empty.", "Copy the picture again; its transfer may have been broken off.")
        is_auto, most = context.settings.size == "auto", context.config.max_megapixels
        device = self.painters.info().device if is_auto else ""  # only `auto` has to wait for a painter
        long_side = context.settings.long_side(device)
        if context.settings.print is not None:
            _, width, height = self.readers.probe(context.file)
            long_side = context.settings.print.long_side(width, height)
        if not is_auto and (why := too_large(self.readers, context.file, long_side, most)):
            raise JobError(f"Its painting {why}.", "Choose a smaller size, or raise max_megapixels in config.yaml.")
        return self.readers.read(
            context.file,
            max_megapixels=most,
            size=long_side,
            enlarge=not is_auto,
            location=context.config.output.location,
            name=context.job.place,
        )

    def paint(self, context: JobContext, content: Photo) -> PaintResult[SharedArray]:
        """Paint on the first free painter, if possible one that has the style ready. The painting has the shape of
        the photo, (H, W, 3). Raises SourceChanged if a sidecar or a mask of the photo has come meanwhile."""
        job, config = context.job, context.config
        self.status.stage(job.id, "waiting for a painter")
        long_side = context.settings.recipe.style_side(max(content.size))
        files = config.styles[job.style].all_pictures
        style = self.styles.load(files, long_side, config.max_megapixels)
        with self.painters.take(job.style) as painter:
            self.jobs.check_companions(job, context.home)
            self.status.stage(job.id, "painting")
            patience, film = config.stall_seconds, config.output.film

            def attempt(recipe: Recipe) -> PaintResult[SharedArray]:
                steps, threads = StepLog(), config.thread_count

                def on_step(step: Step) -> None:
                    steps.add(step)
                    self.status.step(job.id, step)

                painting = painter.paint(content.pixels, style.pictures, recipe, threads, on_step, patience, film=film)
                return steps.result(painting, recipe, painter.info, threads or painter.info.threads, style.sources)

            result = paint_with_safe_retry(attempt, context.settings.recipe, job)
        mask = self.jobs.companion(job, MASK, config.max_megapixels)
        if mask is None:
            return result
        masked = self.readers.masked(result.painting, content.pixels, mask, config.max_megapixels, f"{job.place}{MASK}")
        return dataclasses.replace(result, painting=masked, mask_sha256=sha256(mask.fd))

    def deliver(
        self, context: JobContext, content: Photo, result: PaintResult[SharedArray]
    ) -> tuple[Path, Provenance, Thumbnails]:
        """Write, fsync, reopen and decode the painting, look at the photo once more, and only then give the painting
        its name. Returns its path, its record and thumbnails."""
        job, output = context.job, context.config.output
        self.status.stage(job.id, "delivering")
        kind = output_format(content.format, output.format, content.size)
        record = result.provenance(
            source=job.name,
            source_sha256=context.source_sha256,
            style=job.style,
            size=content.size,
            kind=kind,
            quality=output.quality,
            dpi=context.settings.print.dpi if context.settings.print else None,
        )
        thumbnails = self.readers.store(
            result.painting,
            content,
            self.delivery.open_temporary(job),
            self.jobs.records.made(job),
            format=kind,
            quality=output.quality,
            dpi=record.dpi,
            metadata=content.metadata,
            record=record.to_json(),
        )
        self.jobs.check_unchanged(job, context.signature)
        delete = context.config.originals == "delete"
        extension = extension_of(kind, job.name)
        path = self.delivery.deliver(job, extension, delete_original=delete)
        return path, record, thumbnails

    def film(self, job: Job, result: PaintResult[SharedArray]) -> bytes:
        """The film of a painting, b"" if no film is wanted. The painting was delivered, so this raises nothing."""
        try:
            return self.readers.film(result.frames, result.painting) if result.frames else b""
        except (JobError, WorkerDied, OSError, ShuttingDown) as error:
            log.warning("%s has no film: %s", job, error, extra=about(Event.LISTENER_FAILED, style=job.style))
            return b""

    def report(self, result: JobResult) -> None:
        """Count, log and announce a delivered painting."""
        self.status.count(delivered=1)
        times = {"seconds": result.seconds, "waited": result.waited}
        extra = about(Event.PAINTED, path=escape(str(result.path)), style=result.style, **times)
        log.info("painted %s", escape(result.place), extra=extra)
        self.notify(result)

    def fail(self, job: Job, error: JobError, started: float) -> None:
        """Set the photo aside with its reason."""
        path = self.delivery.fail(job, error)
        self.status.count(failed=1, failure=f"{job}: {escape(str(error))}")
        log.error("failed %s: %s", job, error, extra=about(Event.FAILED, path=escape(str(path)), style=job.style))
        waited = time.monotonic() - started
        self.notify(JobResult(job.id, job.place, job.style, path, str(error), waited=waited))

    def break_off(self, job: Job, photo: Signature, bug: Exception, started: float) -> None:
        """A bug ends this job and no other: the photo is set aside, so that it does not meet the bug again and again.
        Raises ServicePaused if every photo meets a bug, and the bug itself if the photo's outcome was decided
        before."""
        extra = about(Event.JOB_BROKE, style=job.style)
        log.error("%s: %s", job, broken_down(bug), exc_info=bug, extra=extra)
        if self.failures.record_bug(photo):
            raise ServicePaused(f"{broken_down(bug)}, as on the photos before") from bug
        recorded = self.jobs.records.read(self.jobs.records.directory(job))
        if recorded is None or recorded.outcome is not None:
            raise bug
        reason = f"{broken_down(bug)}."
        self.fail(job, JobError(reason, "The journal has more; please report it. Then: styled retry"), started)

    def judge(self, job: Job, photo: Signature, death: WorkerDied | Unreadable, started: float, config: Config) -> None:
        """A process died on the photo: the failure policy says whether the photo goes back behind the photos that wait
        or is set aside. Raises ServicePaused if the device fails on every photo."""
        painter = death.painter if isinstance(death, PainterDied) else None
        alone = self.painters.count <= 1
        while (verdict := self.failures.record_death(photo, painter, alone=alone)) is Verdict.TEST_DEVICE:
            text = "several photos in a row ended their painter; a painter tries the style's own picture to see why"
            log.warning(text, extra=about(Event.DEVICE_TESTED, style=job.style))
            self.status.stage(job.id, "trying the painter")
            on_step = functools.partial(self.status.step, job.id)
            if not device_works(self.painters, self.styles, config, job.style, on_step):
                raise ServicePaused(f"the painter breaks down on every picture ({last_line(death)})")
            self.failures.device_passed()
        tries = self.failures.deaths(photo)
        extra = about(Event.RETRY, style=job.style, tries=tries)
        log.warning("%s: %s (try %d of %d)", job, death, tries, TRIES, extra=extra)
        if verdict is Verdict.RETRY:
            self.jobs.put_back(job)
        else:
            self.failures.forget(photo)
            self.fail(job, unpaintable(death), started)


def _text(file: Handle) -> bytes:
    with file.file() as stream:
        return stream.read(1 << 20)
