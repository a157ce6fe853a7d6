"""However a secret is given by mistake, and to whatever command: not half of it is told, logged or kept."""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
import json
import shutil
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

import aetl
from aetl.logs import redaction
from tests.exports import make_export, write
from tests.hostile import in_process
from tests.hostile.in_process import Run

ACCOUNT = "account.blob.core.windows.net"
REFUSING = "http://127.0.0.1:1/account/exports"

COMMANDS = {
    "check": ["check"],
    "check --json": ["check", "--json"],
    "load": ["load"],
    "load --json": ["load", "--json"],
    "load --dry-run": ["load", "--dry-run"],
    "status": ["status", "--json"],
    "export": ["export"],
    "digest": ["digest", "--json"],
    "run": ["run", "--sessions", "1"],
    "schedule": ["schedule", "create", "--dry-run", "--command", "load"],
}

_numbers = itertools.count(1000)


def canary() -> tuple[str, str]:
    """Two halves of a secret that no other case has: what is known of one secret must not hide another's."""
    number = next(_numbers)
    return f"Geheim{number}", f"Wort{number}x"


def broken_by(character: str) -> Callable[[str, str], str]:
    return lambda a, b: f"postgresql://chat:{a}{character}{b}@127.0.0.1:1/db"


SIGNED = "sv=2024-11-04&sp=rl&se=2099-01-01T00:00:00Z&sig="
CONTAINERS: dict[str, Callable[[str, str], str]] = {
    "it works, but nobody is there": lambda a, b: f"{REFUSING}?{SIGNED}{a}%2F{b}%3D",
    "with + and / as they are": lambda a, b: f"{REFUSING}?{SIGNED}{a}+/{b}=",
    "no scheme": lambda a, b: f"{ACCOUNT}/exports?{SIGNED}{a}%2F{b}%3D",
    "no scheme, in capitals": lambda a, b: f"{ACCOUNT}/exports?{SIGNED}{a}%2F{b}".upper().replace("GEHEIM", "Geheim"),
    "htps": lambda a, b: f"htps://{ACCOUNT}/exports?{SIGNED}{a}%2F{b}%3D",
    "http with one slash": lambda a, b: f"http:/{ACCOUNT}/exports?{SIGNED}{a}/{b}=",
    "no colon": lambda a, b: f"https//{ACCOUNT}/exports?{SIGNED}{a}/{b}=",
    "capitals": lambda a, b: f"HTTPS://{ACCOUNT.upper()}/EXPORTS?SIG={a}%2F{b}",
    "& for ?": lambda a, b: f"https://{ACCOUNT}/exports&{SIGNED}{a}%2F{b}%3D",
    "& for ?, a folder": lambda a, b: f"https://{ACCOUNT}/exports/nightly&{SIGNED}{a}/{b}=",
    "%3F for ?": lambda a, b: f"https://{ACCOUNT}/exports%3F{SIGNED}{a}/{b}=",
    "# for ?": lambda a, b: f"https://{ACCOUNT}/exports#{SIGNED}{a}/{b}=",
    "a user and a key": lambda a, b: f"https://user:{a}/{b}@{ACCOUNT}/exports",
    "a key alone": lambda a, b: f"https://{a}+{b}@{ACCOUNT}/exports",
    "a line break": lambda a, b: f"https://{ACCOUNT}/exports?{SIGNED}{a}\n{b}",
    "a space": lambda a, b: f"https://{ACCOUNT}/exports?{SIGNED}{a} {b}",
    "a bracket": lambda a, b: f"https://[{ACCOUNT}/exports?{SIGNED}{a}%2F{b}",
    "a port": lambda a, b: f"https://{ACCOUNT}:{a}/exports?{SIGNED}{b}",
    "a blob": lambda a, b: f"https://{ACCOUNT}/exports/backup_1.json?{SIGNED}{a}%2F{b}",
    "the SAS alone": lambda a, b: f"{SIGNED}{a}%2F{b}%3D",
    "the SAS with its ?": lambda a, b: f"?{SIGNED}{a}/{b}=",
    "the SAS in another order": lambda a, b: f"sig={a}%2F{b}%3D&{SIGNED.removesuffix('&sig=')}",
    "a connection string": lambda a, b: f"DefaultEndpointsProtocol=https;AccountName=a;AccountKey={a}/{b}==;X=y",
    "another one": lambda a, b: f"BlobEndpoint=https://{ACCOUNT};SharedAccessSignature={SIGNED}{a}%2F{b}",
    "a path with a SAS": lambda a, b: f"exports?{SIGNED}{a}/{b}",
    "an absolute one": lambda a, b: f"/srv/exports?{SIGNED}{a}/{b}",
    "a file URL with a SAS": lambda a, b: f"file:///srv/exports?{SIGNED}{a}/{b}",
    "a Windows path with a SAS": lambda a, b: rf"C:\exports?{SIGNED}{a}/{b}",
    "quotes around it": lambda a, b: f"'https://{ACCOUNT}/exports?{SIGNED}{a}/{b}'",
    "a database": lambda a, b: f"postgresql://u:{a}/{b}@h/db",
    "a SAS URL of a queue": lambda a, b: f"https://account.queue.core.windows.net/exports?{SIGNED}{a}%2F{b}",
    "encoded as a whole": lambda a, b: quote(f"https://{ACCOUNT}/exports?{SIGNED}{a}/{b}", safe=""),
}
DATABASES: dict[str, Callable[[str, str], str]] = {
    "it works, but nobody is there": lambda a, b: f"postgresql://chat:{a}{b}@127.0.0.1:1/db",
    "encoded": lambda a, b: f"postgresql://chat:{a}%2F%23{b}@127.0.0.1:1/db",
    **{f"{each!r} in the password": broken_by(each) for each in "/#?@%:& +[]\\\"'=,"},
    "as a parameter": lambda a, b: f"postgresql://127.0.0.1:1/db?user=chat&password={a}%20{b}",
    "a port too high": lambda a, b: f"postgresql://chat:{a}{b}@127.0.0.1:99999/db",
    "no port at all": lambda a, b: f"postgresql://127.0.0.1:{a}{b}/db",
    "one slash": lambda a, b: f"postgresql:/chat:{a}/{b}@127.0.0.1/db",
    "no colon": lambda a, b: f"postgres//chat:{a}/{b}@127.0.0.1/db",
    "no scheme": lambda a, b: f"chat:{a}#{b}@127.0.0.1/db",
    "a driver": lambda a, b: f"postgresql+psycopg://chat:{a}/{b}@127.0.0.1/db",
    "libpq": lambda a, b: f"host=127.0.0.1 dbname=db password='{a} {b}'",
    "libpq, first": lambda a, b: f"password={a}/{b} host=127.0.0.1",
    "MySQL": lambda a, b: f"mysql://chat:{a}@{b}@127.0.0.1/db",
    "ADO": lambda a, b: f"Server=127.0.0.1;Database=db;User Id=chat;Password={a} {b};",
    "ODBC": lambda a, b: f"Driver={{PostgreSQL}};Server=h;Uid=u;Pwd={{{a};{b}}};",
    "JDBC": lambda a, b: f"jdbc:postgresql://h/db?user=u&password={a}/{b}",
    "SQLite": lambda a, b: f"sqlite://chat:{a}/{b}@h/x.db",
    "a container": lambda a, b: f"https://{ACCOUNT}/exports?{SIGNED}{a}/{b}",
    "a connection string": lambda a, b: f"AccountName=a;AccountKey={a}/{b}==",
    "a SAS": lambda a, b: f"?{SIGNED}{a}/{b}",
}
VARIABLES: dict[str, tuple[str, Callable[[str, str], str]]] = {
    "a SAS that is a URL": ("CHAT_DB_CONTAINER_SAS_TOKEN", lambda a, b: f"https://{ACCOUNT}/exports?{SIGNED}{a}%2F{b}"),
    "a SAS with a break": ("CHAT_DB_CONTAINER_SAS_TOKEN", lambda a, b: f"{SIGNED}{a}\r\n{b}"),
    "a key as the SAS": ("CHAT_DB_CONTAINER_SAS_TOKEN", lambda a, b: f"{a}+/{b}=="),
    "a SAS as the connection": ("AZURE_STORAGE_CONNECTION_STRING", lambda a, b: f"{SIGNED}{a}%2F{b}"),
    "a key as the connection": ("AZURE_STORAGE_CONNECTION_STRING", lambda a, b: f"{a}+/{b}=="),
    "a connection without ;": ("AZURE_STORAGE_CONNECTION_STRING", lambda a, b: f"AccountName=a AccountKey={a}/{b}=="),
    "a key that is none": (
        "AZURE_STORAGE_CONNECTION_STRING",
        lambda a, b: f"AccountName=account;AccountKey={a}!{b};BlobEndpoint=http://127.0.0.1:1/account",
    ),
}


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Iterator[Run]:
    yield from in_process.running(capsys)


def ways(route: int) -> Iterator[tuple[str, dict[str, str], list[str], str]]:
    """Name, environment, options and configuration file of each way; `route` turns through where it is given."""
    for number, (name, text) in enumerate(CONTAINERS.items()):
        yield from one_way(f"container: {name}", "container", "CHAT_DB_CONTAINER_URL", text, number + route)
    for number, (name, text) in enumerate(DATABASES.items()):
        yield from one_way(f"database: {name}", "database", "CHAT_DB_URL", text, number + route)
    for name, (variable, text) in VARIABLES.items():
        first, second = canary()
        yield name, {"CHAT_DB_CONTAINER_URL": REFUSING, variable: text(first, second)}, [], f"{first} {second}"


def one_way(
    name: str, setting: str, variable: str, text: Callable[[str, str], str], route: int
) -> Iterator[tuple[str, dict[str, str], list[str], str]]:
    first, second = canary()
    given, halves = text(first, second), f"{first} {second}"
    other = {} if setting == "container" else {"CHAT_DB_CONTAINER_URL": "exports"}
    if route % 3 == 0:
        yield f"{name}, as a variable", other | {variable: given}, [], halves
    elif route % 3 == 1:
        yield f"{name}, as an option", other, [f"--{setting}", given], halves
    else:
        yield f"{name}, in a file", other | {"FILE": json.dumps({setting: given})}, [], halves


def forget() -> None:
    """What is known of one case's secret must not hide another's."""
    redaction._hidden.clear()
    redaction._any_hidden = None


@pytest.fixture(autouse=True)
def nothing_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """What other tests hid does not hide anything here."""
    monkeypatch.setattr(redaction, "_hidden", {})
    monkeypatch.setattr(redaction, "_any_hidden", None)


@pytest.mark.parametrize("command", COMMANDS)
def test_no_half_of_a_secret_is_told(command: str, run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    arguments = COMMANDS[command]
    told: list[str] = []
    # Each command has each way on one of three routes, and each route has each way with three commands.
    for number, (name, environment, options, halves) in enumerate(ways(list(COMMANDS).index(command))):
        forget()
        folder = tmp_path / str(number)
        folder.mkdir()
        write(folder / "exports", 0, make_export(1))
        (folder / "own.yaml").write_text(
            json.dumps({"retries": 0, "timeout": 2} | json.loads(environment.pop("FILE", "{}")))
        )
        common = ["--config", "own.yaml", *options]
        if command == "schedule":
            common = ["--", *common]
        else:
            common += ["--log-level", "DEBUG", "--log-format", "json" if number % 2 else "text"]
        with monkeypatch.context() as patch:
            patch.chdir(folder)
            for variable, value in environment.items():
                patch.setenv(variable, value)
            done = run(*arguments, *common)
        (folder / "own.yaml").unlink()
        said = {"stdout": done.stdout, "stderr": done.stderr} | {
            str(path.relative_to(folder)): path.read_bytes().decode("utf-8", "replace")
            for path in folder.rglob("*")
            if path.is_file()
        }
        shutil.rmtree(folder)
        told += [
            f"{name}: {half} in {where}" for where, text in said.items() for half in halves.split() if half in text
        ]
        if "unexpected" in done.stderr or (done.exit_code == 1 and "check" not in arguments):
            told.append(f"{name}: {done.stderr}")
    assert told == []


CALLS: dict[str, Callable[[aetl.Settings], object]] = {
    "load": lambda settings: asyncio.run(aetl.load(settings)),
    "export": lambda settings: asyncio.run(aetl.export(settings)),
    "digest": lambda settings: asyncio.run(aetl.digest(settings)),
    "simulate": lambda settings: asyncio.run(aetl.simulate(settings, sessions=1)),
}


def everything_in(error: BaseException) -> str:
    """What a caller may print of an exception, and of all that it was raised from."""
    texts, waiting, seen = ["".join(traceback.format_exception(error))], [error], set[int]()
    while waiting:
        each = waiting.pop()
        if id(each) in seen:
            continue
        seen.add(id(each))
        texts += [str(each), repr(each), repr(vars(each)), *getattr(each, "__notes__", ())]
        waiting += [other for other in (each.__cause__, each.__context__, *getattr(each, "exceptions", ())) if other]
    return "\n".join(texts)


@pytest.mark.parametrize("call", CALLS)
def test_no_exception_of_the_python_interface_holds_half_of_one(call: str, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    for name, environment, options, halves in ways(0):
        forget()
        file = json.loads(environment.pop("FILE", "{}"))
        given = file | {key.removeprefix("--"): value for key, value in zip(options[::2], options[1::2], strict=True)}
        try:
            settings = aetl.read_settings(environ=environment, **{"retries": 0, "timeout": 2} | given)
            texts = [
                repr(settings),
                str(settings),
                f"{dataclasses.asdict(settings)}",
                f"{dataclasses.astuple(settings)}",
            ]
            CALLS[call](settings)
        except Exception as error:
            texts = [everything_in(error)]
        told += [f"{name}: {half}" for text in texts for half in halves.split() if half in text]
    assert told == []
