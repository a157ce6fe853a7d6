"""What a task's last result means: an exit code of aetl, or what Task Scheduler itself has to say."""

from __future__ import annotations

NEVER_RAN = 0x41303

_OF_AETL = {
    0: "done",
    1: "failed unexpectedly, or the program could not be started; global.log in the job's folder has the details",
    2: "wrong options or configuration",
    3: "loaded, with rejects",
    4: "the container could not be read",
    5: "the database could not be read or written",
    6: "an export broke the contract and was rolled back",
    75: "another load was running",
    130: "interrupted; rolled back",
    143: "terminated; rolled back",
}
# The names on Microsoft's page "Task Scheduler Error and Success Constants", and the system's own codes beside them.
_OF_TASK_SCHEDULER = {
    0x41300: "ready to run",
    0x41301: "it is running now",
    0x41302: "disabled",
    NEVER_RAN: "has not run yet",
    0x41304: "there are no more runs",
    0x41305: "not scheduled",
    0x41306: "ended by Task Scheduler or by a user; rolled back",
    0x41307: "it has no trigger, or its trigger is disabled",
    0x8004131F: "another instance was running",
    0x80041326: "disabled",
    0x80070002: "the program was not found: install aetl again",
    0x80070005: "access denied",
    0x8007010B: "the job's folder was not found",
    0x8007052E: "wrong user or password",
    0x800710E0: "Task Scheduler refused the start",
    0xC000013A: "interrupted; rolled back",
    0xC0000142: "the program could not be started",
}


def in_words(result: int) -> str:
    """A last result in words, with its number where only that is known."""
    return _OF_AETL.get(result) or _OF_TASK_SCHEDULER.get(result) or f"code {result} (0x{result:X})"
