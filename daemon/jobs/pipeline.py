"""One picture's journey, from the inbox to the outbox."""

import contextlib
import functools
import logging
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from daemon.config.load import load_sidecar
from daemon.config.models import Config, Settings
from daemon.errors import JobError, PainterDied, ServicePaused, SourceChanged, Unreadable, WorkerDied, WorkerLost
from daemon.filenames import MASK, SIDECAR, extension_of, output_format
from daemon.inbox.scan import InboxPhoto, Signature
from daemon.jobs.claims import JobStore
from daemon.jobs.failures import TRIES, FailureTracker
from daemon.jobs.record import Job, JobResult
from daemon.jobs.safe_retry import paint_with_safe_retry
from daemon.jobs.trace import JobTrace
from daemon.previews import Thumbnails
from daemon.processes.painters import Painters
from daemon.processes.readers import Photo, Readers
from daemon.processes.shared_array import SharedArray
from daemon.processes.style_cache import StyleCache
from daemon.status import Status
from daemon.storage.files import Handle, sha256
from daemon.text import escape
from daemon.transfer.recipe import Recipe
from daemon.transfer.steps import Step

log = logging.getLogger("styled")

AUTO_SIZE_CPU, AUTO_SIZE_GPU = 512, 1024  # `size: auto`: the long side in pixels; never enlarged to it


@dataclass(frozen=True, slots=True)
class JobContext:
    """A claimed picture with the settings it began with."""

    claim: Job
    signature: Signature
    file: Handle
    settings: Settings
    config: Config
    story: JobTrace


class Pipeline:
    """What a picture needs on its way. `run` is the whole way; it may be called from several threads."""

    def __init__(
        self,
        claims: JobStore,
        readers: Readers,
        painters: Painters,
        board: Status,
        tell: Callable[[JobResult], None] = lambda finished: None,
    ) -> None:
        """`tell` hears of every picture whose way has ended; it raises nothing."""
        self.tell = tell
        self.claims = claims
        self.readers = readers
        self.painters = painters
        self.board = board
        self.styles = StyleCache(readers)
        self.blame = FailureTracker()

    def run(self, arrival: InboxPhoto, config: Config) -> None:
        """Claim, read, paint, deliver; the original is archived with the delivery. JobError ends here; whatever
        else ends the way puts the picture back into the inbox."""
        claim = self.claims.take(arrival)
        if claim is None:
            return
        with self._in_hand(claim):
            started = time.monotonic()
            try:
                job = self.open(claim, arrival.signature, config)
                photo = self.read(job)
                painting = self.paint(job, photo)
                path, thumbnails = self.deliver(job, photo, painting)
            except JobError as error:
                self.fail(claim, error, started)
            except (WorkerDied, Unreadable) as death:
                self.judge(claim, arrival.signature, death, started, config)
            except SourceChanged:
                self.claims.put_back(claim)
                log.info("%s is still being written; it waits", claim)
            except WorkerLost as loss:
                self.claims.put_back(claim)
                log.warning("%s goes back and is painted anew, through no fault of its own: %s", claim, loss)
            else:
                self.blame.painted(arrival.signature)
                self.board.count(delivered=1)
                seconds, said = time.monotonic() - started, {"path": escape(str(path)), "style": claim.style}
                log.info("painted %s", claim, extra={**said, "seconds": seconds})
                self.tell(job.story.ended(claim.id, claim.place, path, seconds, thumbnails))

    @contextlib.contextmanager
    def _in_hand(self, claim: Job) -> Iterator[None]:
        """Whatever ends the way early, even in the handling of an error, leaves the picture where it is safe."""
        self.board.begin(claim.id, claim.place, claim.style)
        try:
            yield
        except BaseException:
            self.claims.abandon(claim)
            raise
        finally:
            self.board.end(claim.id)

    def open(self, claim: Job, signature: Signature, config: Config) -> JobContext:
        """SourceChanged: its writer was not done. JobError: its sidecar does not validate."""
        file, source_sha256 = self.claims.open(claim, signature)
        sidecar = self.claims.companion(claim, SIDECAR)
        own = load_sidecar(_text(sidecar), claim.name + SIDECAR) if sidecar else None
        story = JobTrace(claim.name, source_sha256)
        return JobContext(claim, signature, file, config.settings(claim.style, own), config, story)

    def fail(self, claim: Job, error: JobError, started: float) -> None:
        path = self.claims.fail(claim, error)
        self.board.count(failed=1, failure=f"{claim}: {escape(str(error))}")
        log.error("failed %s: %s", claim, error, extra={"path": escape(str(path)), "style": claim.style})
        self.tell(JobResult(claim.id, claim.place, claim.style, path, str(error), time.monotonic() - started))

    def judge(
        self, claim: Job, picture: Signature, death: WorkerDied | Unreadable, started: float, config: Config
    ) -> None:
        """A process died on it. It goes back, to be tried after others that wait; after the third time, each time
        alone and in a process that was sound, it is set aside. ServicePaused: every picture fares like it."""
        on_painter, painter = isinstance(death, PainterDied), getattr(death, "painter", "")
        strike = functools.partial(
            self.blame.strike, picture, on_painter=on_painter, painter=painter, alone=self.painters.count <= 1
        )
        strikes = strike()
        last = str(death).strip().splitlines()[-1]
        if strikes == 0:
            if not self.device_works(claim, config):
                raise ServicePaused(f"the painter breaks down on every picture ({last})")
            self.blame.device_works()
            strikes = strike()
        log.warning("%s: %s (try %d of %d)", claim, death, strikes, TRIES)
        if strikes < TRIES:
            self.claims.put_back(claim)
            return
        self.blame.forget(picture)
        what = "painted: the painter process" if isinstance(death, PainterDied) else "read: the reader process"
        advice = "Save it anew in another program, or paint it smaller."
        self.fail(claim, JobError(f"It could not be {what} broke down on it {TRIES} times: {last}.", advice), started)

    def device_works(self, claim: Job, config: Config) -> bool:
        """Whether a painter paints what it must be able to: the style's own picture, as large as photos are painted
        in this style, to the last step. If it does, those that died in a row were bad pictures, each by itself."""
        log.warning("several pictures in a row ended their painter; it paints a style's own picture to see why")
        self.board.stage(claim.id, "trying the painter")
        settings = config.settings(claim.style)
        side = settings.size if isinstance(settings.size, int) else self._auto_size()
        style = self.styles.load(config.styles[claim.style].all_pictures, side, config.max_megapixels).pictures
        threads, patience = config.thread_count, config.stall_seconds
        try:
            with self.painters.take() as painter:
                on_step = functools.partial(self.board.step, claim.id)
                painter.paint(style[0][0], style, settings.recipe, threads, on_step, patience)
        except PainterDied:
            return False
        except JobError:  # it lives, and says in words what it cannot do
            pass
        return True

    def read(self, job: JobContext) -> Photo:
        """The photograph, decoded at the size it will be painted in."""
        self.board.stage(job.claim.id, "reading")
        if os.fstat(job.file.fd).st_size == 0:
            raise JobError("The file is empty.", "Copy the picture again; its transfer may have been broken off.")
        size = job.settings.size
        if size == "auto":
            size = self._auto_size()
        wanted = None if size == "original" else size
        enlarge = job.settings.size != "auto"
        limit = job.config.max_megapixels
        location = job.config.output.location
        return self.readers.read(job.file, max_megapixels=limit, size=wanted, enlarge=enlarge, location=location)

    def _auto_size(self) -> int:
        return AUTO_SIZE_CPU if self.painters.info().device == "cpu" else AUTO_SIZE_GPU

    def paint(self, job: JobContext, photo: Photo) -> SharedArray:
        """The painting, of the photo's shape, by whichever painter is free first; of several, by one that has the
        style at hand."""
        self.board.stage(job.claim.id, "waiting for a painter")
        long_side = max(photo.size) * job.settings.recipe.style_scale
        pictures = job.config.styles[job.claim.style].all_pictures
        style = self.styles.load(pictures, max(round(long_side), 1), job.config.max_megapixels)
        job.story.pictures = style.sources

        def on_step(step: Step) -> None:
            job.story.step(step)
            self.board.step(job.claim.id, step)

        with self.painters.take(job.claim.style) as painter:
            self.board.stage(job.claim.id, "painting")
            config = job.config

            def attempt(recipe: Recipe) -> SharedArray:
                job.story.begin(painter.info, config.thread_count, recipe)
                patience = config.stall_seconds
                return painter.paint(photo.pixels, style.pictures, recipe, config.thread_count, on_step, patience)

            painting = paint_with_safe_retry(attempt, job.settings.recipe, job.claim)
        mask = self.claims.companion(job.claim, MASK)
        if mask is None:
            return painting
        job.story.mask_sha256 = sha256(mask.fd)
        return self.readers.masked(painting, photo.pixels, mask, job.config.max_megapixels)

    def deliver(self, job: JobContext, photo: Photo, painting: SharedArray) -> tuple[Path, Thumbnails]:
        """Written, fsynced, reopened, decoded; the photo looked at once more; and only then given its name."""
        self.board.stage(job.claim.id, "delivering")
        output = job.config.output
        kind = output_format(photo.format, output.format, photo.size)
        record = job.story.told(job.claim.style, photo.size, kind, output.quality)
        thumbnails = self.readers.store(
            painting,
            photo,
            self.claims.canvas(job.claim),
            self.claims.easel(job.claim),
            format=kind,
            quality=output.quality,
            metadata=photo.metadata,
            record=record.to_json(),
        )
        self.claims.check_unchanged(job.claim, job.signature)
        delete = job.config.originals == "delete"
        path = self.claims.deliver(job.claim, extension_of(kind, job.claim.name), delete_original=delete)
        return path, thumbnails


def _text(file: Handle) -> bytes:
    with file.file() as stream:
        return stream.read(1 << 20)
