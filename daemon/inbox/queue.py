"""Photos between their first listing and the moment they are taken: who waits, who is next, and why not yet."""

import heapq
import itertools
import math
import os
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from daemon.filenames import natural_sort_key
from daemon.inbox.scan import InboxPhoto
from daemon.inbox.stability import UNREADABLE_SECONDS, WRITER_SECONDS, Observation, State

PLACEHOLDER_SECONDS = 60.0  # an empty file is a download that has not begun, for so long


@dataclass(frozen=True, slots=True)
class Growing:
    """A photo that cannot be taken yet, with the reason, for a person. `seconds`: since it last changed."""

    arrival: InboxPhoto
    why: str
    seconds: float


@dataclass(slots=True)
class _Candidate:
    arrival: InboxPhoto
    seen: int  # number of the rescan that saw it first
    since: float  # when its present state was first seen
    due: float  # when to look again, while it is not ready
    state: State = State.CHANGED
    ready: bool = False


class SettleQueue:
    """Every photo in the inbox that nobody has in hand. One thread at a time."""

    def __init__(self, settle_seconds: float) -> None:
        self.settle_seconds = settle_seconds
        self._candidates: dict[str, _Candidate] = {}
        self._queues: dict[str, list[tuple[int, object, str]]] = {}  # per style, a heap: oldest first
        self._served: dict[str, int] = {}
        self._turn = 0
        self._rescans = 0
        self._hands: dict[str, _Candidate] = {}
        self._not_before: dict[str, float] = {}

    def update(self, arrivals: Iterable[InboxPhoto], now: float) -> list[str]:
        """Take over a rescan of the whole inbox. Returns the paths that were not known before."""
        self._rescans += 1
        known, self._candidates = self._candidates, {}
        fresh = []
        for arrival in arrivals:
            in_hand = self._hands.get(arrival.path)
            if in_hand is not None and in_hand.arrival.signature == arrival.signature:
                continue  # the very file, not claimed yet
            candidate = known.get(arrival.path)
            if candidate is None:
                candidate = _Candidate(arrival, self._rescans, now, 0.0)
                self._changed(candidate, arrival, now)
                fresh.append(arrival.path)
            elif candidate.arrival != arrival:
                self._changed(candidate, arrival, now)
            self._candidates[arrival.path] = candidate
        self._not_before = {
            path: then for path, then in self._not_before.items() if path in self._candidates and then > now
        }
        return fresh

    def due(self, now: float) -> list[InboxPhoto]:
        """What should be looked at now, oldest first."""
        found = [each for each in self._candidates.values() if not each.ready and each.due <= now]
        found.sort(key=lambda each: each.seen)
        return [each.arrival for each in found]

    def next_due(self) -> float:
        """When there is something to look at again, infinite when there is nothing."""
        return min((each.due for each in self._candidates.values() if not each.ready), default=math.inf)

    def judge(self, arrival: InboxPhoto, look: Observation, now: float) -> None:
        """Take over a look at a photo that was due."""
        candidate = self._candidates.get(arrival.path)
        if candidate is not None and candidate.arrival is arrival:  # not replaced by a rescan meanwhile
            self._judge(candidate, look, now)

    def pop(self) -> InboxPhoto | None:
        """The next photo, in hand from now on: of the style that was served longest ago, its oldest."""
        for style in sorted(self._queues, key=lambda each: (self._served.get(each, 0), self._queues[each][:1])):
            queue = self._queues[style]
            while queue:
                path = heapq.heappop(queue)[2]
                candidate = self._candidates.get(path)
                if candidate is None or not candidate.ready or candidate.arrival.style != style:
                    continue  # taken away, changed or moved since it was queued
                self._hands[path] = self._candidates.pop(path)
                self._turn += 1
                self._served[style] = self._turn
                return candidate.arrival
        return None

    def put_back(self, arrival: InboxPhoto, look: Observation, now: float) -> None:
        """It was popped, but the last look says that it has not settled after all."""
        candidate = self._hands.pop(arrival.path)
        if arrival.path not in self._candidates:
            self._candidates[arrival.path] = candidate
            self._judge(candidate, look, now)

    def release(self, arrival: InboxPhoto, not_before: float) -> None:
        """Nobody has it in hand any more; a file of its path may be handed out from `not_before` on."""
        self._hands.pop(arrival.path, None)
        self._not_before[arrival.path] = not_before

    def keep_styles(self, styles: Collection[str]) -> None:
        """Forget what waits for any other style."""
        self._candidates = {path: c for path, c in self._candidates.items() if c.arrival.style in styles}
        self._queues = {style: queue for style, queue in self._queues.items() if style in styles}
        self._served = {style: turn for style, turn in self._served.items() if style in styles}

    def counts(self) -> dict[str, int]:
        """How many wait per style, settled or growing."""
        return dict(Counter(each.arrival.style for each in self._candidates.values()))

    def upcoming(self, most: int) -> list[InboxPhoto]:
        """The first `most` that are ready, in the order in which they will be handed out."""
        turns = sorted(self._queues, key=lambda each: (self._served.get(each, 0), self._queues[each][:1]))
        first = [[c.arrival for c in self._first(style, most)] for style in turns]
        mixed = (arrival for turn in itertools.zip_longest(*first) for arrival in turn if arrival is not None)
        return list(itertools.islice(mixed, most))

    def _first(self, style: str, most: int) -> list[_Candidate]:
        places = heapq.nsmallest(most, self._queues[style])
        known = (self._candidates.get(path) for _, _, path in places)
        return [each for each in known if each is not None and each.ready and each.arrival.style == style]

    def growing(self, now: float) -> list[Growing]:
        """What cannot be taken yet and why, longest known first."""
        found = [each for each in self._candidates.values() if not each.ready]
        found.sort(key=lambda each: each.seen)
        return [Growing(each.arrival, _why(each), now - each.since) for each in found]

    def is_idle(self) -> bool:
        """Nothing in hand, settled or growing. What may not be read does not count: nobody can paint it."""
        return not self._hands and all(c.state is State.UNREADABLE for c in self._candidates.values())

    def _judge(self, candidate: _Candidate, look: Observation, now: float) -> None:
        candidate.state, candidate.ready = look.state, False
        if look.arrival is None:
            del self._candidates[candidate.arrival.path]
        elif look.state is State.CHANGED:
            self._changed(candidate, look.arrival, now)
        elif look.state is State.WRITING:  # as good as a change: it settles from its writer's end on
            candidate.since = now
            candidate.due = now + max(self._patience(candidate.arrival), WRITER_SECONDS)
        elif look.state is State.UNREADABLE:
            candidate.due = now + max(self.settle_seconds, UNREADABLE_SECONDS)
        elif candidate.arrival.path in self._hands:  # a new file of a name whose old one is still being painted
            candidate.due = now + max(self.settle_seconds, WRITER_SECONDS)
        else:
            self._ready(candidate)

    def _ready(self, candidate: _Candidate) -> None:
        candidate.ready = True
        arrival = candidate.arrival
        place = (candidate.seen, natural_sort_key(os.path.join(arrival.folder, arrival.name)), arrival.path)
        heapq.heappush(self._queues.setdefault(arrival.style, []), place)

    def _changed(self, candidate: _Candidate, arrival: InboxPhoto, now: float) -> None:
        candidate.arrival, candidate.since = arrival, now
        candidate.state, candidate.ready = State.CHANGED, False
        candidate.due = max(now + self._patience(arrival), self._not_before.get(arrival.path, 0.0))

    def _patience(self, arrival: InboxPhoto) -> float:
        return max(self.settle_seconds, PLACEHOLDER_SECONDS if arrival.signature.size == 0 else 0.0)


def _why(candidate: _Candidate) -> str:
    if candidate.state in (State.WRITING, State.UNREADABLE):
        return str(candidate.state.value)
    if candidate.arrival.signature.size == 0:
        return f"empty: the placeholder of a download until it has stood still for {PLACEHOLDER_SECONDS:.0f} s"
    return "it changed a moment ago"
