"""What schtasks.exe is asked, and how its answers are understood in every language."""

from __future__ import annotations

from pathlib import Path

import pytest

from aetl.scheduling.results import in_words
from aetl.scheduling.schtasks import (
    TaskStatus,
    create_arguments,
    delete_arguments,
    list_arguments,
    query_arguments,
    read_status,
)

# As `schtasks /Query /TN aetl /V /FO CSV /NH` writes: no quote is doubled, and a HRESULT is a signed number.
END = (
    '"SYSTEM","{off}","12:00:00","{words}","{words}","12:39:56","{date}","{none}","{none}","{none}",'
    '"0 Hour(s), 5 Minute(s)","{none}","{off}","{off}"\r\n'
)
ENGLISH = (
    '"SERVER","\\aetl","11/24/2026 10:05:00 AM","Ready","Interactive/Background","11/24/2026 10:00:01 AM","0","N/A",'
    '""C:\\etl job\\env\\Scripts\\aetl.exe" run","C:\\etl job","Brings a chatbot\'s exports.","Enabled","Disabled","",'
) + END.format(off="Disabled", words="Scheduling data is not available.", date="11/24/2026", none="N/A")
GERMAN = (
    '"SERVER","\\aetl","24.11.2026 10:05:00","Bereit","Interaktiv/Hintergrund","24.11.2026 10:00:01","5","N/V",'
    '"C:\\etl_job\\env\\Scripts\\aetl.exe run","C:\\etl_job","","Aktiviert","Deaktiviert","",'
) + END.format(off="Deaktiviert", words="Planungsdaten nicht verfügbar.", date="24.11.2026", none="N/V")
NEVER = (
    '\r\n"SERVER","\\aetl","11/24/2026 10:05:00 AM","Ready","Interactive/Background","11/30/1999 12:00:00 AM","267011",'
    '"N/A","C:\\etl_job\\env\\Scripts\\aetl.exe run","C:\\etl_job","N/A","Enabled","Disabled","",'
) + END.format(off="Disabled", words="Scheduling data is not available.", date="11/24/2026", none="N/A")
GONE = ENGLISH.replace('"0"', '"-2147024894"').replace('"11/24/2026 10:05:00 AM"', '"N/A"')


def test_everything_is_registered_through_a_definition_in_a_file() -> None:
    path = Path("a & b", "task.xml")
    assert create_arguments(path) == ["/Create", "/TN", "aetl", "/XML", str(path), "/F"]
    assert delete_arguments() == ["/Delete", "/TN", "aetl", "/F"]
    assert query_arguments() == ["/Query", "/TN", "aetl", "/V", "/FO", "CSV", "/NH"]
    assert list_arguments() == ["/Query", "/FO", "CSV", "/NH"]


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (ENGLISH, TaskStatus(True, "11/24/2026 10:00:01 AM", 0, "done", "11/24/2026 10:05:00 AM")),
        (
            GERMAN,
            TaskStatus(
                True, "24.11.2026 10:00:01", 5, "the database could not be read or written", "24.11.2026 10:05:00"
            ),
        ),
        (NEVER, TaskStatus(True, None, 267011, "has not run yet", "11/24/2026 10:05:00 AM")),
        (
            GONE,
            TaskStatus(
                True, "11/24/2026 10:00:01 AM", 0x80070002, "the program was not found: install aetl again", None
            ),
        ),
        ("", TaskStatus(False)),
        (ENGLISH.replace("\\aetl", "\\aetl2"), TaskStatus(False)),
        (ENGLISH.replace("\\aetl", "\\other\\aetl"), TaskStatus(False)),
        ("nonsense\r\n", TaskStatus(False)),
    ],
    ids=["english", "german", "never ran", "program gone", "nothing", "another", "another folder", "nonsense"],
)
def test_a_status_is_read_by_columns_and_numbers(answer: str, status: TaskStatus) -> None:
    assert read_status(answer) == status


@pytest.mark.parametrize("code", [0, 1, 2, 3, 4, 5, 6, 75, 130, 143])
def test_every_exit_code_of_aetl_has_words(code: int) -> None:
    assert str(code) not in in_words(code)


def test_a_result_that_nobody_knows_shows_its_number_both_ways() -> None:
    assert in_words(0x80041321) == "code 2147750689 (0x80041321)"
