"""Which record an event tells: what the control API makes of records, undone."""

from __future__ import annotations

import pytest

from nrunner.control import EventParser
from nrunner.following import record_of
from nrunner.journal import Journal, read_records
from nrunner.phase import Phase
from nrunner.status.document import event_text
from nrunner.testing.sample import sample_report
from nrunner.watch import Watch


@pytest.mark.parametrize(
    "record",
    [
        {"type": "job", "format": 1, "id": "abc", "total": 3, "command": ["nrunner"]},
        {"type": "planned", "task": 1, "id": "1-\udcff", "limits": {"slow": None}},
        {"type": "move", "task": 1, "attempt": 1, "phase": Phase.READY, "time": 1.5},
        {"type": "move", "task": 1, "attempt": 1, "phase": Phase.STARTED, "time": 1.5},
        {"type": "settled", "task": 1, "report": sample_report(1)},
        {"type": "notice", "text": "slow"},
        {"type": "resumed", "epoch": 2},
        {"type": "closed", "exit_code": 1, "elapsed": 2.0},
    ],
    ids=lambda record: record["type"],
)
def test_an_event_leads_back_to_its_record(tmp_path, record):
    journal = Journal(tmp_path / "journal.jsonl")
    journal.append([record])
    watch = Watch((), None, None, journal, None, None)  # type: ignore[arg-type]
    (event,) = watch.events_after(0, 9)
    (parsed,) = EventParser().feed(event_text(event).encode("ascii"))
    (written,) = read_records(journal.path)
    written = {key: value for key, value in written.items() if key != "check"}
    assert (parsed.id, record_of(parsed)) == (1, written)
    journal.close()
