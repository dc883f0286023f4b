"""The photos that wait, from the first scan that finds them until a job takes them: which is next, and why others wait.

No threads, no clock and no waiting: `now` is a parameter, in seconds of a monotonic clock. A photo settles when it
has not changed for `settle_seconds` since a scan first saw it as it is now; the file's own times may be wrong.
"""

import heapq
import itertools
import math
import os
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from daemon.filenames import natural_sort_key
from daemon.inbox.photo import InboxPhoto
from daemon.inbox.stability import Observation, State
from daemon.text import escape

PLACEHOLDER_SECONDS = 60.0  # an empty file counts as a download that has not begun, until it did not change for so long
DOWNLOAD_SECONDS = 600.0  # a download that did not grow for so long counts as given up
UNREADABLE_SECONDS = 5.0  # between two looks at a photo without read permission
WRITER_SECONDS = 0.2  # least time between two looks at a photo that a program writes


@dataclass(frozen=True, slots=True)
class Growing:
    """A photo that cannot be taken yet. `why` is for a person to read; `seconds` since the photo last changed."""

    photo: InboxPhoto
    why: str
    seconds: float


@dataclass(slots=True)
class _Candidate:
    photo: InboxPhoto
    first_scan: int  # number of the scan that first saw the photo
    since: float  # when the photo's present state was first seen
    due: float  # when to look at the photo again, while it is not ready
    state: State = State.CHANGED
    file: str = ""  # see Observation
    ready: bool = False

    @property
    def why(self) -> str:
        if self.state in (State.WRITING, State.UNREADABLE):
            return str(self.state.value).format("it" if self.file in ("", self.photo.name) else escape(self.file))
        if self.photo.download:
            return f"{escape(self.photo.download)} beside it is a download that goes on"
        if self.photo.signature.size == 0:
            return f"empty: the placeholder of a download until it has stood still for {PLACEHOLDER_SECONDS:.0f} s"
        return "it changed a moment ago"


class SettleQueue:
    """Every photo in the inbox that no job has in hand. Not thread-safe."""

    def __init__(self, settle_seconds: float) -> None:
        self.settle_seconds = settle_seconds
        self._candidates: dict[str, _Candidate] = {}
        self._ready: dict[str, list[tuple[int, object, str]]] = {}  # per style, a heap: oldest first
        self._served: dict[str, int] = {}
        self._turn = 0
        self._scans = 0
        self._in_hand: dict[str, _Candidate] = {}
        self._not_before: dict[str, float] = {}
        self._locked: dict[str, str] = {}  # photos that could not be taken out of the inbox, and why

    # filling

    def update(self, photos: Iterable[InboxPhoto], now: float) -> None:
        """Take in the result of a scan of the whole inbox."""
        self._scans += 1
        known, self._candidates = self._candidates, {}
        for photo in photos:
            in_hand = self._in_hand.get(photo.path)
            if in_hand is not None and in_hand.photo.signature == photo.signature:
                continue  # the same file, not claimed yet
            candidate = known.get(photo.path)
            if candidate is None:
                candidate = _Candidate(photo, self._scans, now, 0.0)
                self._change(candidate, photo, now)
            elif candidate.photo != photo:
                self._change(candidate, photo, now)
            self._candidates[photo.path] = candidate
        self._not_before = {
            path: then for path, then in self._not_before.items() if path in self._candidates and then > now
        }
        self._locked = {
            path: why for path, why in self._locked.items() if path in self._candidates or path in self._in_hand
        }

    def keep_styles(self, styles: Collection[str]) -> None:
        """Forget the photos of all other styles."""
        self._candidates = {path: each for path, each in self._candidates.items() if each.photo.style in styles}
        self._ready = {style: heap for style, heap in self._ready.items() if style in styles}
        self._served = {style: turn for style, turn in self._served.items() if style in styles}

    # settling

    def due(self, now: float) -> list[InboxPhoto]:
        """The photos to look at now, oldest first."""
        return [each.photo for each in self._unsettled() if each.due <= now]

    def next_due(self) -> float:
        """When there is a photo to look at again; infinite when there is none."""
        return min((each.due for each in self._candidates.values() if not each.ready), default=math.inf)

    def record(self, photo: InboxPhoto, found: Observation, now: float) -> None:
        """Take in the result of a look at a photo that was due."""
        candidate = self._candidates.get(photo.path)
        if candidate is not None and candidate.photo is photo:  # not replaced by a scan in between
            self._record(candidate, found, now)

    # taking

    def pop(self) -> InboxPhoto | None:
        """The next photo, which is in hand from now on: the oldest photo of the style whose last turn is longest
        ago."""
        for style in self._styles_in_turn():
            heap = self._ready[style]
            while heap:
                path = heapq.heappop(heap)[2]
                if self._is_ready(path, style):
                    candidate = self._in_hand[path] = self._candidates.pop(path)
                    self._turn += 1
                    self._served[style] = self._turn
                    return candidate.photo
        return None

    def put_back(self, photo: InboxPhoto, found: Observation, now: float) -> None:
        """Take back a popped photo: the last look found that it has not settled after all."""
        candidate = self._in_hand.pop(photo.path)
        if photo.path not in self._candidates:
            self._candidates[photo.path] = candidate
            self._record(candidate, found, now)

    def release(self, photo: InboxPhoto, not_before: float, locked: str = "") -> None:
        """The job has ended; a file of the same path may be popped from `not_before` on. `locked`: why this photo could
        not be taken out of the inbox, although others can."""
        self._in_hand.pop(photo.path, None)
        self._not_before[photo.path] = not_before
        self._locked.pop(photo.path, None)
        if locked:
            self._locked[photo.path] = locked

    # what waits

    def counts(self) -> dict[str, int]:
        """How many photos wait per style, settled or growing."""
        return dict(Counter(each.photo.style for each in self._candidates.values()))

    def upcoming(self, most: int) -> list[InboxPhoto]:
        """The first `most` settled photos, in the order in which `pop` will return them."""
        first = [self._first(style, most) for style in self._styles_in_turn()]
        mixed = (photo for turn in itertools.zip_longest(*first) for photo in turn if photo is not None)
        return list(itertools.islice(mixed, most))

    def growing(self, now: float) -> list[Growing]:
        """The photos that cannot be taken yet, oldest first."""
        return [
            Growing(each.photo, self._locked.get(each.photo.path) or each.why, now - each.since)
            for each in self._unsettled()
        ]

    def blocked(self) -> dict[str, str]:
        """The photos that wait for a person, by path, and why: styled may not read them or take them."""
        unreadable = {path: each.why for path, each in self._candidates.items() if each.state is State.UNREADABLE}
        return unreadable | self._locked

    def is_idle(self) -> bool:
        """Nothing is in hand, settled or growing. A photo that waits for a person does not count: no job can paint
        it."""
        return not self._in_hand and self._candidates.keys() <= self.blocked().keys()

    def _unsettled(self) -> list[_Candidate]:
        found = [each for each in self._candidates.values() if not each.ready]
        return sorted(found, key=lambda each: each.first_scan)

    def _styles_in_turn(self) -> list[str]:
        return sorted(self._ready, key=lambda style: (self._served.get(style, 0), self._ready[style][:1]))

    def _first(self, style: str, most: int) -> list[InboxPhoto]:
        paths = dict.fromkeys(path for _, _, path in heapq.nsmallest(most, self._ready[style]))  # each path once
        return [self._candidates[path].photo for path in paths if self._is_ready(path, style)]

    def _is_ready(self, path: str, style: str) -> bool:
        """Whether the photo has not been taken away, changed or moved to another style since it entered the heap."""
        candidate = self._candidates.get(path)
        return candidate is not None and candidate.ready and candidate.photo.style == style

    def _record(self, candidate: _Candidate, found: Observation, now: float) -> None:
        candidate.state, candidate.file, candidate.ready = found.state, found.file, False
        if found.photo is None:
            del self._candidates[candidate.photo.path]
        elif found.state is State.CHANGED:
            self._change(candidate, found.photo, now)
        elif found.state is State.WRITING:  # counts as a change: the time to settle begins when the writer ends
            candidate.since = now
            candidate.due = now + max(self._patience(candidate.photo), WRITER_SECONDS)
        elif found.state is State.UNREADABLE:
            candidate.due = now + max(self.settle_seconds, UNREADABLE_SECONDS)
        elif candidate.photo.path in self._in_hand:  # a new file, while a job still has the old file of this name
            candidate.due = now + max(self.settle_seconds, WRITER_SECONDS)
        else:
            self._settle(candidate)

    def _settle(self, candidate: _Candidate) -> None:
        candidate.ready = True
        photo = candidate.photo
        name = natural_sort_key(os.path.join(photo.folder, photo.name))
        heapq.heappush(self._ready.setdefault(photo.style, []), (candidate.first_scan, name, photo.path))

    def _change(self, candidate: _Candidate, photo: InboxPhoto, now: float) -> None:
        candidate.photo, candidate.since = photo, now
        candidate.state, candidate.ready = State.CHANGED, False
        candidate.due = max(now + self._patience(photo), self._not_before.get(photo.path, 0.0))

    def _patience(self, photo: InboxPhoto) -> float:
        """Seconds without a change until the photo counts as complete."""
        download = DOWNLOAD_SECONDS if photo.download else 0.0
        return max(self.settle_seconds, download, PLACEHOLDER_SECONDS if photo.signature.size == 0 else 0.0)
