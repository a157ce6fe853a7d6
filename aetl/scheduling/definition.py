"""The task's definition as Task Scheduler reads it.

Elements stand in the order of Microsoft's pages "Task Scheduler Schema", version 1.2 (Windows Vista and later).
"""

from __future__ import annotations

import subprocess
from datetime import datetime, time, timedelta
from xml.etree import ElementTree

from aetl.scheduling import HUNG_AFTER, Job

NAMESPACE = "http://schemas.microsoft.com/windows/2004/02/mit/task"
FIRST_START = timedelta(minutes=5)
# By their security identifiers: their names differ from one language of Windows to the next.
SERVICE_ACCOUNTS = {"system": "S-1-5-18", "local service": "S-1-5-19", "network service": "S-1-5-20"}


def task_definition(job: Job, user: str, now: datetime) -> bytes:
    """The XML that `schtasks /Create /XML` takes, in UTF-16. `now` is the local time."""
    task = ElementTree.Element("Task", {"version": "1.2", "xmlns": NAMESPACE})
    _add(task, "RegistrationInfo", Source="aetl", Description="Brings a chatbot's exports into the database.")
    _add_trigger(ElementTree.SubElement(task, "Triggers"), job.when, now)
    _add(
        task,
        "Settings",
        MultipleInstancesPolicy="IgnoreNew",
        DisallowStartIfOnBatteries="false",
        StopIfGoingOnBatteries="false",
        AllowHardTerminate="true",
        StartWhenAvailable="true",
        Enabled="true",
        ExecutionTimeLimit=duration(HUNG_AFTER),
    )
    _add(ElementTree.SubElement(task, "Principals"), "Principal", {"id": "Author"}, **_principal(user))
    _add(
        ElementTree.SubElement(task, "Actions", {"Context": "Author"}),
        "Exec",
        Command=str(job.program),
        Arguments=subprocess.list2cmdline(job.arguments),
        WorkingDirectory=str(job.working_dir),
    )
    ElementTree.indent(task)
    definition: bytes = ElementTree.tostring(task, encoding="utf-16", xml_declaration=True)
    return definition


def duration(span: timedelta) -> str:
    """A span of whole minutes as XML Schema writes it, in its largest unit: P1D, PT2H, PT5M."""
    minutes = span // timedelta(minutes=1)
    if minutes % (24 * 60) == 0:
        return f"P{minutes // (24 * 60)}D"
    return f"PT{minutes // 60}H" if minutes % 60 == 0 else f"PT{minutes}M"


def _add_trigger(triggers: ElementTree.Element, when: timedelta | time, now: datetime) -> None:
    if isinstance(when, timedelta):
        trigger = _add(triggers, "TimeTrigger", Enabled="true", StartBoundary=_local(now + FIRST_START))
        _add(trigger, "Repetition", Interval=duration(when))
    else:
        trigger = _add(triggers, "CalendarTrigger", Enabled="true", StartBoundary=_local(_next(when, now)))
        _add(trigger, "ScheduleByDay", DaysInterval="1")


def _next(when: time, now: datetime) -> datetime:
    today = datetime.combine(now.date(), when, now.tzinfo)
    # Never in the past: StartWhenAvailable would take that for a missed start, and catch up at once.
    return today if today > now else today + timedelta(days=1)


def _local(moment: datetime) -> str:
    """Without an offset: Task Scheduler then keeps to the wall clock, also when summer time begins."""
    return moment.replace(microsecond=0, tzinfo=None).isoformat()


def _principal(user: str) -> dict[str, str]:
    account = user.casefold().removeprefix("nt authority\\")
    sid = SERVICE_ACCOUNTS.get(account, user.upper() if account in ("s-1-5-18", "s-1-5-19", "s-1-5-20") else None)
    if sid is not None:
        return {"UserId": sid, "RunLevel": "HighestAvailable"}
    # S4U: runs whether the user is logged on or not, and needs no password.
    return {"UserId": user, "LogonType": "S4U", "RunLevel": "HighestAvailable"}


def _add(
    parent: ElementTree.Element, name: str, attributes: dict[str, str] | None = None, /, **texts: str
) -> ElementTree.Element:
    element = ElementTree.SubElement(parent, name, attributes or {})
    for child, text in texts.items():
        ElementTree.SubElement(element, child).text = text
    return element
