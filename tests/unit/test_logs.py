"""The log: stages, formats, rotation, and no secret anywhere."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import json
import logging
import os
import subprocess
import sys
import warnings
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus, unquote

import pytest

from aetl.errors import ConfigurationError
from aetl.logs import hide, log_this, outgoing, outgoing_json, redact, redaction, set_up_logging, stages
from aetl.logs import setup as logs_setup
from aetl.logs.rotation import RotatingLogFile

KINDS = ("function", "coroutine", "generator", "async generator")
GENERATORS = KINDS[2:]
SIGNATURE = "q+3/Zk9mPp4v6w7x8y9z0ABCDEFabcdef12345678w="


class Clock:
    """A clock that only moves when it is told to."""

    now = 100.0

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    fake = Clock()
    monkeypatch.setattr(stages, "clock", fake)
    return fake


@pytest.fixture(autouse=True)
def no_secrets_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redaction, "_hidden", {})
    monkeypatch.setattr(redaction, "_any_hidden", None)


@pytest.fixture(autouse=True)
def everything_is_captured(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)


def make(kind: str, body: Callable[[], Any], decorate: Callable[..., Any] = log_this) -> Callable[..., Any]:
    """A stage of that kind, whose body runs `body` once; the generators yield what it returns."""

    def function(*_: Any, **__: Any) -> Any:
        return body()

    async def coroutine(*_: Any, **__: Any) -> Any:
        return body()

    def generator(*_: Any, **__: Any) -> Iterator[Any]:
        yield body()

    async def async_generator(*_: Any, **__: Any) -> AsyncIterator[Any]:
        yield body()

    chosen = dict(zip(KINDS, (function, coroutine, generator, async_generator), strict=True))[kind]
    return decorate(chosen)  # type: ignore[no-any-return] # decorate is any decorator


async def run(called: Any) -> Any:
    """Drive whatever a call of any kind returned to its end."""
    if inspect.isasyncgen(called):
        return [item async for item in called]
    if inspect.isgenerator(called):
        return list(called)
    return await called if inspect.iscoroutine(called) else called


def ends(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    return [vars(record) for record in caplog.records if vars(record).get("event") == "end"]


# Stages


@pytest.mark.parametrize("kind", KINDS)
async def test_each_call_is_logged_at_its_start_and_its_end(
    kind: str, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    def work() -> str:
        clock.advance(1.5)
        return "result"

    result = await run(make(kind, work)())

    assert result == (["result"] if kind in GENERATORS else "result")
    start, end = (vars(record) for record in caplog.records)
    assert (start["event"], start["name"]) == ("start", __name__)
    assert start["stage"].startswith(f"{__name__}.make.<locals>.")
    assert (end["event"], end["outcome"], end["seconds"]) == ("end", "done", 1.5)
    assert end.get("items") == (1 if kind in GENERATORS else None)
    assert end["message"] == f"{end['stage']}: done in 1.500 s{', 1 item' if kind in GENERATORS else ''}"


@pytest.mark.parametrize("kind", KINDS)
async def test_a_failure_is_logged_and_raised_on(kind: str, clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    error = ValueError("no such table")

    def fail() -> None:
        clock.advance(2)
        raise error

    with pytest.raises(ValueError, match="no such table") as caught:
        await run(make(kind, fail)())

    assert caught.value is error
    (end,) = ends(caplog)
    assert (end["outcome"], end["seconds"], end["levelno"]) == ("failed", 2, logging.ERROR)
    assert end["error"] == "ValueError: no such table"
    assert end["exc_info"][1] is error


@pytest.mark.parametrize("outer", KINDS)
@pytest.mark.parametrize("inner", KINDS)
async def test_enclosing_stages_do_not_repeat_the_traceback(
    inner: str, outer: str, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        raise ValueError("once")

    stage = make(inner, fail)
    with pytest.raises(ValueError, match="once") as caught:
        await run(stage())

    def fail_again() -> None:
        raise caught.value

    with pytest.raises(ValueError, match="once"):
        await run(make(outer, fail_again)())
    assert [bool(end["exc_info"]) for end in ends(caplog)] == [True, False]
    assert stages.traceback_once(caught.value) is None


@pytest.mark.parametrize("kind", KINDS)
async def test_a_cancellation_is_no_failure(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    def cancel() -> None:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await run(make(kind, cancel)())
    (end,) = ends(caplog)
    assert (end["outcome"], end["levelno"], end["exc_info"]) == ("cancelled", logging.WARNING, None)


async def test_a_cancelled_task_is_logged_as_cancelled(caplog: pytest.LogCaptureFixture) -> None:
    begun = asyncio.Event()

    @log_this
    async def wait() -> AsyncIterator[int]:
        begun.set()
        await asyncio.Event().wait()
        yield 1

    task = asyncio.ensure_future(run(wait()))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [end["outcome"] for end in ends(caplog)] == ["cancelled"]


@pytest.mark.parametrize("kind", GENERATORS)
async def test_the_time_of_the_consumer_is_not_counted(
    kind: str, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    @log_this
    def numbers() -> Iterator[int]:
        for number in range(3):
            clock.advance(1)
            yield number
        clock.advance(1)

    @log_this
    async def async_numbers() -> AsyncIterator[int]:
        for number in range(3):
            clock.advance(1)
            yield number
        clock.advance(1)

    seen = []
    if kind == "generator":
        for number in numbers():
            clock.advance(1000)
            seen.append(number)
    else:
        async for number in async_numbers():
            clock.advance(1000)
            seen.append(number)

    assert seen == [0, 1, 2]
    (end,) = ends(caplog)
    assert (end["seconds"], end["items"], end["outcome"]) == (4, 3, "done")


@pytest.mark.parametrize("kind", GENERATORS)
async def test_a_consumer_that_stops_early_closes_the_wrapped_generator(
    kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    closed = []

    @log_this
    def numbers() -> Iterator[int]:
        try:
            yield from range(1000)
        finally:
            closed.append(True)

    @log_this
    async def async_numbers() -> AsyncIterator[int]:
        try:
            for number in range(1000):
                yield number
        finally:
            await asyncio.sleep(0)
            closed.append(True)

    if kind == "generator":
        with contextlib.closing(numbers()) as source:  # type: ignore[type-var] # Iterator stands for a generator
            assert (next(source), next(source)) == (0, 1)
    else:
        async with contextlib.aclosing(async_numbers()) as stream:  # type: ignore[type-var] # as above
            assert (await anext(stream), await anext(stream)) == (0, 1)

    assert closed == [True]
    (end,) = ends(caplog)
    assert (end["outcome"], end["items"], end["exc_info"]) == ("stopped", 2, None)


def test_a_generator_keeps_its_return_value() -> None:
    @log_this
    def numbers() -> Generator[int, None, str]:
        yield 1
        return "end"

    source = numbers()
    next(source)
    with pytest.raises(StopIteration) as stop:
        next(source)
    assert stop.value.value == "end"


@pytest.mark.parametrize("kind", KINDS)
def test_a_stage_is_still_the_kind_of_function_it_was(kind: str) -> None:
    stage = make(kind, lambda: None)
    assert inspect.iscoroutinefunction(stage) == (kind == "coroutine")
    assert inspect.isgeneratorfunction(stage) == (kind == "generator")
    assert inspect.isasyncgenfunction(stage) == (kind == "async generator")
    assert stage.__module__ == __name__


@pytest.mark.parametrize("kind", KINDS)
async def test_arguments_are_logged_only_through_of(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    await run(make(kind, lambda: None)("password1", sas="password2"))
    assert "password" not in caplog.text

    caplog.clear()
    decorate = log_this(level=logging.DEBUG, of=lambda blob, *, sas: blob)
    await run(make(kind, lambda: None, decorate)("backup_x.json", sas="password2"))
    assert [record.levelno for record in caplog.records] == [logging.DEBUG] * 2
    assert all(" backup_x.json: " in record.getMessage() for record in caplog.records)
    assert {vars(record)["of"] for record in caplog.records} == {"backup_x.json"}
    assert "password2" not in caplog.text


@pytest.mark.parametrize("kind", KINDS)
async def test_an_of_that_fails_does_not_fail_the_call(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    await run(make(kind, lambda: None, log_this(of=lambda: "takes no argument"))(1))
    assert "(TypeError in of): started" in caplog.text


def test_a_stage_is_named_without_the_package(caplog: pytest.LogCaptureFixture) -> None:
    def load() -> None: ...

    load.__module__, load.__qualname__ = "aetl.pipeline", "load"
    log_this(load)()
    assert caplog.records[0].name == "aetl.pipeline"
    assert caplog.records[0].getMessage() == "pipeline.load: started"


# Set-up and formats


def write(log_file: Path, log_format: Any, *actions: Callable[[], object], level: str | int = "DEBUG") -> str:
    with set_up_logging(log_file, level, log_format):
        for action in actions:
            action()
    return log_file.read_text("utf-8")


def fail_with(message: str) -> Callable[[], None]:
    @log_this
    def fail() -> None:
        raise ValueError(message)

    def swallow() -> None:
        with contextlib.suppress(ValueError):
            fail()

    return swallow


def test_text_lines_are_in_utc_with_level_and_process(tmp_path: Path) -> None:
    record = logging.makeLogRecord(
        {"name": "aetl.cli", "levelname": "INFO", "levelno": 20, "msg": "é", "created": 1795560487.1239}
    )
    line = write(tmp_path / "log", "text", lambda: logging.getLogger().handle(record))
    assert line == f"2026-11-24T22:48:07.123Z INFO  [{os.getpid()}] cli: é\n"


def test_json_lines_carry_the_fields_of_a_stage(tmp_path: Path) -> None:
    start, end = map(json.loads, write(tmp_path / "log", "json", fail_with("a\nb")).splitlines())
    assert start.keys() == {"time", "level", "logger", "message", "pid", "stage", "event"}
    assert (end["outcome"], end["error"], end["level"], end["pid"]) == (
        "failed",
        "ValueError: a\nb",
        "ERROR",
        os.getpid(),
    )
    assert end["seconds"] >= 0
    assert end["exception"].startswith("Traceback")
    assert end["exception"].endswith("ValueError: a\nb")


@pytest.mark.parametrize("separator", ["\n", "\r", "\r\n", "\x85", "\u2028", "\x1b[2J"])
def test_nobody_forges_a_line(separator: str, tmp_path: Path) -> None:
    forged = "2026-01-01T00:00:00.000Z INFO  [1] all is well"
    message = f"a{separator}{forged}"
    text = write(tmp_path / "log", "text", lambda: logging.getLogger("x").warning(message), fail_with(message))
    lines = text.splitlines()
    assert not any(line.startswith(forged) for line in lines)
    assert "\x1b" not in text
    records = [line for line in lines if not line.startswith("    ")]
    assert len(records) == 3
    assert lines[3].strip() == "Traceback (most recent call last):"


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_text_that_is_no_unicode_is_written_all_the_same(log_format: str, tmp_path: Path) -> None:
    assert r"\udc80" in write(tmp_path / "log", log_format, lambda: logging.getLogger("x").warning("\udc80"))


def test_a_second_set_up_replaces_the_first(tmp_path: Path) -> None:
    root = logging.getLogger()
    before = list(root.handlers), root.level
    first = set_up_logging(tmp_path / "first", "INFO", "text")
    with set_up_logging(tmp_path / "second", "INFO", "text"):
        first.close()
        logging.getLogger("x").info("here")
    assert (list(root.handlers), root.level) == before
    assert (tmp_path / "first").read_text() == ""
    assert (tmp_path / "second").read_text().endswith("here\n")


@pytest.mark.parametrize(
    ("level", "azure"),
    [("DEBUG", logging.DEBUG), ("info", logging.WARNING), (logging.ERROR, logging.ERROR)],
)
def test_the_sdk_is_quiet_unless_debugging(level: str | int, azure: int, tmp_path: Path) -> None:
    with set_up_logging(tmp_path / "log", level, "text"):
        assert logging.getLogger("azure.core.pipeline").getEffectiveLevel() == azure
        assert logging.getLogger("aiosqlite").getEffectiveLevel() >= logging.INFO
    assert logging.getLogger("azure").level == logging.NOTSET


def test_warnings_go_into_the_log(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        text = write(tmp_path / "log", "text", lambda: warnings.warn("old option", DeprecationWarning, stacklevel=1))
    assert "WARNING" in text
    assert "DeprecationWarning: old option" in text


@pytest.mark.parametrize("name", ["no such folder/log", "."])
def test_a_log_file_that_cannot_be_opened_is_a_configuration_error(name: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        set_up_logging(tmp_path / name, "INFO", "text")
    cause = caught.value.__cause__
    assert isinstance(cause, OSError)
    assert str(caught.value) == f"cannot open the log file {tmp_path / name}: {cause.strerror}"
    assert "--log-file" in caught.value.hint


def test_an_unknown_level_is_a_configuration_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="unknown log level 'LOUD'"):
        set_up_logging(tmp_path / "log", "LOUD", "text")
    assert not (tmp_path / "log").exists()


# Rotation


def numbered(count: int) -> Callable[[], None]:
    def log() -> None:
        for number in range(count):
            logging.getLogger("x").info("record %04d", number)

    return log


def test_the_log_rotates_and_keeps_three_older_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs_setup, "MAX_BYTES", 1000)
    write(tmp_path / "log", "text", numbered(200))
    assert {path.name for path in tmp_path.iterdir()} == {"log", "log.1", "log.2", "log.3"}
    kept = "".join((tmp_path / name).read_text() for name in ("log.3", "log.2", "log.1", "log")).splitlines()
    assert [int(line[-4:]) for line in kept] == list(range(200 - len(kept), 200))
    assert all(1000 <= (tmp_path / f"log.{number}").stat().st_size < 1100 for number in (1, 2, 3))


def test_a_failing_rename_loses_neither_records_nor_older_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(logs_setup, "MAX_BYTES", 1000)
    for number in (1, 2, 3):
        (tmp_path / f"log.{number}").write_text(f"older {number}")
    attempts = []

    def in_use(source: Path, target: Path) -> None:
        attempts.append(source)
        raise PermissionError(13, "The process cannot access the file because it is being used by another process")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", in_use)
        text = write(tmp_path / "log", "text", numbered(200))
    assert [int(line[-4:]) for line in text.splitlines()] == list(range(200))
    assert [(tmp_path / f"log.{number}").read_text() for number in (1, 2, 3)] == ["older 1", "older 2", "older 3"]
    assert 1 <= len(attempts) < 150
    assert capsys.readouterr().err == ""

    write(tmp_path / "log", "text", numbered(1))
    assert (tmp_path / "log.1").read_text() == text
    assert (tmp_path / "log.3").read_text() == "older 2"


@pytest.mark.skipif(os.name == "nt", reason="there, a log that is open elsewhere stays as it is")
def test_a_log_that_another_process_rotated_is_not_rotated_again(tmp_path: Path) -> None:
    first, second = (RotatingLogFile(tmp_path / "log", max_bytes=100, backups=3) for _ in range(2))
    for handler, message in ((first, "x" * 99), (first, "y"), (second, "z")):
        handler.emit(logging.makeLogRecord({"msg": message}))
    first.close()
    second.close()
    assert {path.name for path in tmp_path.iterdir()} == {"log", "log.1"}
    assert (tmp_path / "log").read_text() == "y\nz\n"


def test_a_log_that_cannot_be_written_does_not_fail_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    hide("correct horse")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device (correct horse)")

    with set_up_logging(tmp_path / "log", "INFO", "text"):
        monkeypatch.setattr(RotatingLogFile, "_size", full)
        logging.getLogger("x").info("%s", "correct horse")
        logging.getLogger("x").info("again")
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "No space left on device (***)" in err


# Secrets


def forms(secret: str) -> set[str]:
    lower = quote(secret, safe="").replace("%2B", "%2b").replace("%3D", "%3d").replace("%2F", "%2f")
    return {
        secret,
        quote(secret),
        quote(secret, safe=""),
        quote_plus(secret),
        quote(quote(secret, safe=""), safe=""),
        lower,
        unquote(secret),
        repr(secret),
        ascii(secret),
        json.dumps(secret),
    }


SECRETS = [SIGNATURE, quote(SIGNATURE, safe=""), "pä ss'w\"o\\rd+%41;&", "line one\nline two", "ab%2Bcde"]


@pytest.mark.parametrize("secret", SECRETS)
def test_a_hidden_secret_shows_in_no_form(secret: str) -> None:
    hide(secret)
    for form in forms(secret):
        assert redact(f"before {form} after").strip("'\"").replace("'", "").replace('"', "") == "before *** after"


@pytest.mark.parametrize("secret", ["postgres", "backup", "loaded", "123456"])
def test_a_secret_that_is_a_word_goes_where_it_is_one_and_other_words_stay(secret: str) -> None:
    hide(secret)
    for innocent in (f"{secret}ql://host", f"{secret}_20261102T020000.json", f"un{secret}", f"0{secret}1"):
        assert redact(innocent) == innocent
    for form in (f"u:{secret}!", f'"{secret}"', f"u%3A{secret}%40h", repr(f"\n{secret}\x1f{secret}\0"),
                 json.dumps(f"\x1f{secret}\u2028{secret}"), f"({secret})"):  # fmt: skip
        assert secret not in redact(form) and "***" in redact(form)


def test_a_secret_takes_no_name_out_of_json() -> None:
    hide("loaded")
    assert json.loads(outgoing_json({"loaded": 1, "by loaded": ["loaded"]})) == {"loaded": 1, "by ***": ["***"]}


def test_what_is_too_short_is_no_secret() -> None:
    hide("table")
    hide("")
    assert redact("the table ") == "the table "


def test_the_longer_of_two_secrets_goes_whole() -> None:
    hide("secret-one")
    hide("secret-one-and-more")
    assert redact("secret-one-and-more secret-one") == "*** ***"


def test_the_signature_of_a_hidden_sas_is_hidden_by_itself() -> None:
    hide(f"?sv=2024-11-04&sig={quote(SIGNATURE, safe='')}&se=2027-01-01")
    assert redact(f"token {SIGNATURE}!") == "token ***!"
    assert redact(f"u?se=2027-01-01&sv=2024-11-04&x={quote_plus(SIGNATURE)}") == "u?se=2027-01-01&sv=2024-11-04&x=***"


ENCODED = quote(SIGNATURE, safe="")


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        (f"https://a.net/c?sv=1&sig={ENCODED}&se=2", "https://a.net/c?sv=1&sig=***&se=2"),
        (f"'?sig={SIGNATURE}'", "'?sig=***'"),
        (f"u=https%3A%2F%2Fa%3Fsig%3D{quote(ENCODED, safe='')}%26se%3D2", "u=https%3A%2F%2Fa%3Fsig%3D***%26se%3D2"),
        (f"{{'sv': '1', 'sig': '{SIGNATURE}'}}", "{'sv': '1', 'sig': '***'}"),
        (f"AccountName=a;AccountKey={SIGNATURE};X=y", "AccountName=a;AccountKey=***;X=y"),
        (
            f"BlobEndpoint=b;SharedAccessSignature=sv=1&sig={ENCODED};X=y",
            "BlobEndpoint=b;SharedAccessSignature=***;X=y",
        ),
        ("postgresql://aetl:s3cr/t@x@db.host:5432/chat", "postgresql://aetl:***@db.host:5432/chat"),
        ("host=db password=s3cret user=aetl", "host=db password=*** user=aetl"),
        ("connect(user='a', password='s3 cret')", "connect(user='a', password='***')"),
        ("{'password': \"it's\"}", "{'password': \"***\"}"),
        ("PGPASSWORD=s3cret psql", "PGPASSWORD=*** psql"),
        (f"Authorization: SharedKey acc:{SIGNATURE}", "Authorization: SharedKey acc:***"),
        ("{'authorization': 'Bearer abc.def'}", "{'authorization': 'Bearer ***'}"),
        ("Bearer eyJ0eXAiOiJKV1QiLCJhbGciOi.x", "Bearer ***"),
    ],
)
def test_what_looks_like_a_secret_is_redacted(text: str, clean: str) -> None:
    assert redact(text) == clean
    assert redact(clean) == clean


@pytest.mark.parametrize(
    "text",
    [
        "http://127.0.0.1:10000/devstoreaccount1/exports?comp=list (mail me@example.org)",
        "http://localhost:8080/a@b",
        "design=flat, assign=1",
        "wrong password: try again",
        "the bearer of bad news",
        "postgresql://aetl@db.host/chat",
        r"C:\Users\jane@corp\chat.db cannot be read",
        "'D:/exports/a@b'",
    ],
)
def test_innocent_text_stays(text: str) -> None:
    assert redact(text) == text


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "piece",
    [
        "://a:",
        "password='",
        "sig=",
        "%25",
        "Bearer ",
        "Authorization=",
        "a",
        " ",
        "pwd={;",
        "password%25",
        "u:p@",
        "://u",
        ":@",
        "@",
        "\x1b",
        "\ud800",
        "SharedKey a ",
        "sig%25",
    ],
)
def test_long_text_takes_no_quadratic_time(piece: str) -> None:
    hide(SIGNATURE)
    outgoing(piece * (300_000 // len(piece)))
    outgoing(f"a://u:{piece * (300_000 // len(piece))}@h")


@pytest.mark.parametrize("log_format", ["text", "json"])
@pytest.mark.parametrize("secret", SECRETS)
def test_no_secret_reaches_the_log(secret: str, log_format: str, tmp_path: Path) -> None:
    hide(secret)
    log = logging.getLogger("x")

    def chained() -> None:
        try:
            try:
                raise KeyError(secret)
            except KeyError as error:
                raise OSError(f"https://a.net/?x={quote_plus(secret)}") from error
        except OSError:
            log.exception("failed with %r", secret, extra={"of": secret, "also": [secret]}, stack_info=True)

    def everywhere() -> None:
        for form in forms(secret):
            log.warning("message %s", form)
            fail_with(f"error {form}")()
            log_this(of=lambda: form)(lambda: None)()  # noqa: B023 - called at once

    text = write(tmp_path / "log", log_format, everywhere, chained)
    assert "***" in text
    texts = [text]
    if log_format == "json":
        texts = [str(value) for line in text.splitlines() for value in json.loads(line).values()] + [text]
    for form in forms(secret):
        # What repr() put around it is no part of the secret.
        assert not any(form.strip("'\"") in piece for piece in texts)


def test_a_traceback_that_another_handler_cached_is_redacted(tmp_path: Path) -> None:
    hide(SIGNATURE)
    record = logging.makeLogRecord(
        {"name": "x", "levelno": logging.ERROR, "msg": "x", "exc_text": f"Traceback: {SIGNATURE}"}
    )
    assert SIGNATURE not in write(tmp_path / "log", "text", lambda: logging.getLogger().handle(record))


def test_importing_the_log_is_light() -> None:
    # The package itself is stubbed: what it imports is another question.
    code = (
        "import sys, types; aetl = sys.modules['aetl'] = types.ModuleType('aetl'); "
        f"aetl.__path__ = [{str(Path(logs_setup.__file__).parents[1])!r}]; import aetl.logs; "
        "sys.exit(' '.join({'asyncio', 'socket', 'logging.handlers', 'azure'} & sys.modules.keys()) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
