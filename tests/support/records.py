"""The results of two jobs, with names that a shell would misread."""

from pathlib import Path

from daemon.jobs.record import JobResult

DELIVERED = JobResult("1", "alpha/a; touch x $(y).jpg", "alpha", Path("/out/a; b.jpg"), "", 1.25)
FAILED = JobResult("2", "alpha/b.jpg", "alpha", Path("/failed/b.jpg"), "It is\nblurred.")
