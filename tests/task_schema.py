"""Checks a task's definition against the Task Scheduler schema, as far as aetl uses it.

Written after the types on Microsoft's pages "Task Scheduler Schema Complex Types" and "Simple Types", which stand for
themselves in version 1.2: the element names and their order, which of them must be there, and what each may hold.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from xml.etree import ElementTree

NAMESPACE = "http://schemas.microsoft.com/windows/2004/02/mit/task"

_TRIGGER = ("Enabled", "StartBoundary", "EndBoundary", "Repetition", "ExecutionTimeLimit", "RandomDelay")
ORDER = {
    "Task": ("RegistrationInfo", "Triggers", "Settings", "Data", "Principals", "Actions"),
    "RegistrationInfo": (
        "URI", "SecurityDescriptor", "Source", "Date", "Author", "Version", "Description", "Documentation",
    ),
    "Triggers": ("TimeTrigger", "CalendarTrigger"),
    "TimeTrigger": _TRIGGER,
    "CalendarTrigger": (*_TRIGGER, "ScheduleByDay"),
    "Repetition": ("Interval", "Duration", "StopAtDurationEnd"),
    "ScheduleByDay": ("DaysInterval",),
    "Settings": (
        "AllowStartOnDemand", "RestartOnFailure", "MultipleInstancesPolicy", "DisallowStartIfOnBatteries",
        "StopIfGoingOnBatteries", "AllowHardTerminate", "StartWhenAvailable", "NetworkProfileName",
        "RunOnlyIfNetworkAvailable", "WakeToRun", "Enabled", "Hidden", "DeleteExpiredTaskAfter", "IdleSettings",
        "NetworkSettings", "ExecutionTimeLimit", "Priority", "RunOnlyIfIdle",
    ),
    "Principals": ("Principal",),
    "Principal": ("UserId", "LogonType", "GroupId", "DisplayName", "RunLevel"),
    "Actions": ("Exec",),
    "Exec": ("Command", "Arguments", "WorkingDirectory"),
}  # fmt: skip
REQUIRED = {
    "Task": ("Actions",),
    "Repetition": ("Interval",),
    "CalendarTrigger": ("ScheduleByDay",),
    "Exec": ("Command",),
}
ATTRIBUTES = {"Task": {"version"}, "Principal": {"id"}, "Actions": {"Context"}}


def parse_duration(text: str) -> timedelta:
    """A duration of XML Schema in days, hours, minutes and seconds; ValueError for anything else."""
    found = re.fullmatch(r"P(?:(\d+)D)?(?:T(?=\d)(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?", text)
    if found is None or text == "P":
        raise ValueError(text)
    days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)


def _is_duration(text: str) -> bool:
    try:
        parse_duration(text)
    except ValueError:
        return False
    return True


def _is_interval(text: str) -> bool:
    return _is_duration(text) and timedelta(minutes=1) <= parse_duration(text) <= timedelta(days=31)


def _is_date_time(text: str) -> bool:
    return re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", text) is not None and bool(datetime.fromisoformat(text))


def _one_of(*values: str) -> Callable[[str], bool]:
    return lambda text: text in values


_boolean = _one_of("true", "false")
CONTENT: dict[str, Callable[[str], bool]] = {
    "Enabled": _boolean,
    "DisallowStartIfOnBatteries": _boolean,
    "StopIfGoingOnBatteries": _boolean,
    "AllowHardTerminate": _boolean,
    "StartWhenAvailable": _boolean,
    "StartBoundary": _is_date_time,
    "Interval": _is_interval,
    "ExecutionTimeLimit": _is_duration,
    "DaysInterval": lambda text: text.isdecimal() and 1 <= int(text) <= 365,
    "MultipleInstancesPolicy": _one_of("Parallel", "Queue", "IgnoreNew", "StopExisting"),
    "RunLevel": _one_of("LeastPrivilege", "HighestAvailable"),
    "LogonType": _one_of("S4U", "Password", "InteractiveToken", "InteractiveTokenOrPassword"),
    "UserId": bool,
    "Command": bool,
    "Arguments": bool,
    "WorkingDirectory": bool,
    "Source": bool,
    "Description": bool,
}


def checked(definition: bytes) -> ElementTree.Element:
    """The root of a definition that keeps to the schema; AssertionError where it does not."""
    assert definition.startswith(b"\xff\xfe"), "UTF-16 begins with its byte order mark"
    root = ElementTree.fromstring(definition)
    assert root.tag == f"{{{NAMESPACE}}}Task"
    assert root.get("version") == "1.2"
    for element in root.iter():
        _check(element)
    contexts = [actions.get("Context") for actions in root.iterfind("{*}Actions")]
    assert contexts == [principal.get("id") for principal in root.iterfind("{*}Principals/{*}Principal")]
    return root


def texts(root: ElementTree.Element) -> dict[str, str]:
    """What the leaves hold, by their paths."""
    found: dict[str, str] = {}

    def walk(element: ElementTree.Element, path: str) -> None:
        for child in element:
            name = f"{path}{_name(child)}"
            if len(child):
                walk(child, f"{name}/")
            else:
                found[name] = child.text or ""

    walk(root, "")
    return found


def _check(element: ElementTree.Element) -> None:
    name = _name(element)
    assert element.tag.startswith(f"{{{NAMESPACE}}}"), f"{name} is in another namespace"
    assert set(element.keys()) <= ATTRIBUTES.get(name, set()), f"{name} has an attribute too many"
    if name not in ORDER:
        assert CONTENT[name](element.text or ""), f"{name} cannot be {element.text!r}"
        return
    children = [_name(child) for child in element]
    places = [ORDER[name].index(child) for child in children]
    assert places == sorted(set(places)), f"{name}: {children} stand in another order, or twice"
    assert set(REQUIRED.get(name, ())) <= set(children), f"{name} lacks an element"


def _name(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]
