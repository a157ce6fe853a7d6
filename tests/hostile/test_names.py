"""No name makes aetl read or write outside its folder container, or say what a terminal would obey."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from aetl.config import Settings
from aetl.container import is_export, open_container
from aetl.errors import AetlError
from aetl.models import Export
from tests.acceptance.command import one_line, query
from tests.exports import FIRST_NIGHT, encode, make_export
from tests.hostile.in_process import Run

GOOD = encode(make_export(1))
SECRET = encode(make_export(1, first=7))
"""Lies beside the container, under names that the hostile ones lead to."""

OUTSIDE = [
    "../backup_1.json",
    "backup_/../../backup_1.json",
    "backup_../backup_1.json",
    "..\\backup_1.json",
    "backup_\\..\\..\\backup_1.json",
    "%2e%2e/backup_1.json",
    "%2e%2e%2fbackup_1.json",
    "..%2fbackup_1.json",
    "..%5cbackup_1.json",
    "backup_%2e%2e%2f%2e%2e%2fbackup_1.json",
    "/etc/passwd",
    "/backup_1.json",
    "//server/share/backup_1.json",
    "\\\\server\\share\\backup_1.json",
    "C:\\backup_1.json",
    "C:backup_1.json",
    "file:///backup_1.json",
    "",
    ".",
    "..",
    "~/backup_1.json",
    "$HOME/backup_1.json",
    "inner/backup_1.json",
    "./backup_1.json",
    "backup_\uff0f..\uff0fbackup_1.json",
    "backup_\u2215..\u2215backup_1.json",
    "backup_1.json/",
    "backup_1.json\0",
    "backup_1.json\0.gz",
    "backup_" + "x" * 1012 + ".json",
    "backup_" + "\u00e9" * 200 + ".json",
]
ONLY_LIKE_EXPORTS = [
    "Backup_1.json", "BACKUP_1.JSON", "backup_1.json.partial", "backup_1.json.gz.tmp", "backup_1.json.bz2",
    "backup_1.jsonl", "backup_1", "backup1.json", "xbackup_1.json", "backup_1.json~", ".backup_1.json", "backup_1.gz",
    "backup_1.json.gzip", "\u0412ackup_1.json", "backup\u200b_1.json", "backup_1.json ", " backup_1.json",
]  # fmt: skip
UNPRINTABLE = [
    "backup_\x1b[31m.json", "backup_1\n.json", "backup_1\r.json", "backup_\x07.json", "backup_\x7f.json",
    "backup_\x9b31m.json", "backup_\u202egpj.json", "backup_\u2028.json", "backup_\u200b1.json", "backup_\ufeff1.json",
]  # fmt: skip
ODD = [
    "backup_.json", "backup_a b.json", "backup_ .json", "backup_...json", "backup_..json", "backup_%2e%2e.json",
    "backup_[bold]x[nope].json", "backup_$(id).json", "backup_`id`.json", "backup_'; DROP TABLE sessions; --.json",
    "backup_\u00e9.json", "backup_e\u0301.json", "backup_\u65e5\u672c.json", "backup_*?.json", "backup_%s%n{0}.json",
    "backup_" + "x" * 243 + ".json", "backup_1.json.json", "backup_-rf.json", 'backup_"quoted".json',
]  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "container"
    (folder / "inner").mkdir(parents=True)
    for secret in (tmp_path, folder / "inner"):
        (secret / "backup_1.json").write_bytes(SECRET)
    return folder


@pytest.mark.parametrize("name", [*OUTSIDE, *ONLY_LIKE_EXPORTS, *UNPRINTABLE], ids=ascii)
def test_a_name_that_is_none_is_not_found(name: str, folder: Path, run: Run) -> None:
    done = run("load", "--container", folder, "--blob", name)
    assert (done.exit_code, done.stdout) == (4, "")
    line = one_line(done.stderr)
    assert line.isprintable()
    assert not Path("local.db").exists() or not query("SELECT name FROM sqlite_schema")


@pytest.mark.parametrize("name", [*ONLY_LIKE_EXPORTS, *UNPRINTABLE], ids=ascii)
def test_a_file_that_only_looks_like_an_export_is_left_alone(name: str, folder: Path, run: Run) -> None:
    (folder / name).write_bytes(GOOD)
    done = run("load", "--container", folder)
    assert (done.exit_code, done.stdout.strip()) == (0, "Nothing new.")
    assert "holds no export, but" in done.stderr and done.stderr.rstrip("\n").isprintable()


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="file names are Unicode there")
def test_a_name_that_is_no_unicode_is_left_alone(folder: Path, run: Run) -> None:
    Path(os.fsdecode(bytes(folder) + b"/backup_\xff.json")).write_bytes(GOOD)
    assert run("load", "--container", folder).stdout.strip() == "Nothing new."
    assert run("load", "--container", folder, "--blob", "backup_\udcff.json").exit_code == 4


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such file names")
@pytest.mark.parametrize("name", ODD, ids=ascii)
def test_an_odd_name_is_a_name(name: str, folder: Path, run: Run) -> None:
    (folder / name).write_bytes(GOOD)
    for arguments in (["--dry-run"], [], ["--blob", name]):
        done = run("load", "--container", folder, *arguments)
        assert (done.exit_code, done.stderr) == (0, "")
        assert "".join(name.split())[:40] in "".join(done.stdout.split())
    assert query("SELECT DISTINCT blob FROM _aetl_loads") == [(name,)]
    assert run("status", "--container", folder).exit_code == 0
    (folder / name).write_bytes(b"")
    assert one_line(run("load", "--container", folder).stderr).startswith(
        f"aetl: error: {' '.join(name.split())}: byte 0: the export is empty"
    )


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege there")
@pytest.mark.parametrize("to", ["../backup_1.json", "inner/backup_1.json", "/etc/passwd", "nowhere", "."])
def test_a_link_is_no_export(to: str, folder: Path, run: Run) -> None:
    (folder / "backup_2.json").symlink_to(to)
    assert run("load", "--container", folder).stdout.strip() == "Nothing new."
    done = run("load", "--container", folder, "--blob", "backup_2.json")
    assert done.exit_code == 4
    assert "backup_2.json" in one_line(done.stderr) and "is no file" in done.stderr


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes")
def test_a_pipe_is_no_export_and_nobody_waits_for_it(folder: Path, run: Run) -> None:
    os.mkfifo(folder / "backup_2.json")
    assert run("load", "--container", folder).stdout.strip() == "Nothing new."
    assert run("load", "--container", folder, "--blob", "backup_2.json").exit_code == 4


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege there")
@pytest.mark.parametrize("becomes", ["link", "pipe"])
async def test_a_file_that_turns_into_something_else_is_not_read(becomes: str, folder: Path) -> None:
    path = folder / "backup_2.json"
    path.write_bytes(GOOD)
    async with open_container(Settings(container=str(folder))) as container:
        export = await container.find(path.name)
        path.unlink()
        path.symlink_to("../backup_1.json") if becomes == "link" else os.mkfifo(path)
        with pytest.raises(AetlError):
            await anext(container.read(export))


@pytest.mark.parametrize("name", OUTSIDE, ids=ascii)
async def test_a_container_reads_and_writes_under_no_other_name(name: str, folder: Path, tmp_path: Path) -> None:
    async def content() -> AsyncIterator[bytes]:
        yield GOOD

    def files() -> dict[str, bytes]:
        return {str(path): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}

    before = files()
    async with open_container(Settings(container=str(folder))) as container:
        with pytest.raises(AetlError):
            await container.find(name)
        if not is_export(name):
            inside = f"{tmp_path}{name}" if name.startswith("/") else name  # in case that it is written after all
            with pytest.raises(AetlError):
                await container.write(inside, content())
            with pytest.raises(AetlError):
                await anext(container.read(Export(name, "", 0, FIRST_NIGHT)))
    assert files() == before
