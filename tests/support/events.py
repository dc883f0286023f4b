"""What the log says happened."""

import pytest


def events(caplog: pytest.LogCaptureFixture) -> list[str]:
    """The events of the records so far, in order; records without an event are left out."""
    return [record.event for record in caplog.records if hasattr(record, "event")]
