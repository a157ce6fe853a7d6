"""What the documentation names is there: files, chapters, parts of the code, and what its links lead to."""

from __future__ import annotations

import re
import subprocess
import sys
from datetime import UTC, datetime

import pytest

import aetl
from tests.documentation.pages import (
    PACKAGE,
    PAGES,
    ROOT,
    SPANS,
    blocks,
    headings,
    section,
    table_rows,
    without_comments,
)

REFERENCE = {"etl_job.py", "run_manually.bat", "run_tests.bat"}  # of etl_flow: a page says where they have gone
MADE_LATER = ("/srv/", "./", "my-", "global.log", "backup_", "path/")  # what a reader or a run makes
NO_FILES = {"/quiet", "/purge", "/aetl"}  # options of the batch files, and the task's path in Task Scheduler


def named_files() -> set[str]:
    spans = {span.replace("\\", "/") for span in SPANS if re.fullmatch(r"[\w.\\/-]+", span)}
    diagram = {
        word for block in blocks("text") for word in re.findall(r"(?:[\w-]+/)*[\w-]+(?:\.(?:py|yaml|json)|/)", block)
    }
    files = {span for span in spans if re.search(r"\.(py|sh|bat|yaml|json|toml|md)$", span) or "/" in span}
    copied = {word for block in blocks("sh") for word in re.findall(r"^cp (\S+)", block, re.MULTILINE)}
    return {each for each in files | diagram | copied if not each.startswith(MADE_LATER)} - REFERENCE - NO_FILES


def links(page: str) -> list[str]:
    """What a page links to and shows, pages of others on the web left out."""
    return re.findall(r"\]\((?!https?:)([^)]+)\)", PAGES[page])


def anchors(page: str) -> set[str]:
    """The names of a page's headings in links, as GitHub makes them."""
    return {re.sub(r"[^\w -]", "", title).strip().lower().replace(" ", "-") for title in headings(page)}


def test_every_file_that_is_named_exists() -> None:
    named = named_files()
    assert {"tools/run_manually.sh", "tools/run_tests.bat", "pipeline.py", "json/schema.json"} <= named
    assert [each for each in sorted(named) if not ((ROOT / each).exists() or (PACKAGE / each).exists())] == []


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_to_a_file_and_to_a_heading_that_is_there(page: str) -> None:
    for link in links(page):
        target, _, anchor = link.partition("#")
        path = (ROOT / page).parent / target if target else ROOT / page
        assert path.is_file(), link
        if anchor:
            assert anchor in anchors(path.resolve().relative_to(ROOT).as_posix()), link


def test_the_readme_links_to_every_page() -> None:
    assert PAGES.keys() - {"README.md"} <= set(links("README.md"))


def test_no_page_is_left_out_and_each_begins_with_its_only_title() -> None:
    assert len(PAGES) > 10
    for page, text in PAGES.items():
        assert re.match(r"# \S", text), page
        assert len(re.findall(r"^# ", without_comments(text), re.MULTILINE)) == 1, page


def test_the_readme_is_short_and_says_first_what_a_newcomer_needs() -> None:
    readme = PAGES["README.md"]
    assert len(readme.splitlines()) <= 150
    wanted = (
        "(docs/terminal.svg)",
        "export CHAT_DB_CONTAINER_URL",
        "\naetl load\n",
        "```sql",
        "tools/run_manually.sh",
        "tools/run_tests.sh",
        "(docs/nightly.md)",
        "(docs/windows.md)",
        "\n## Where to find what",
    )
    order = [readme.index(each) for each in wanted]
    assert order == sorted(order)


@pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo-terminals")
def test_the_picture_of_a_terminal_shows_what_the_commands_print() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "tools/picture.py", "--check"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_diagram_names_the_stages_in_the_order_of_the_layers() -> None:
    (diagram,) = blocks("text", page="CONTRIBUTING.md")
    stages = ["container/", "compression.py", "records.py", "contract/", "database/"]
    places = [diagram.index(stage) for stage in stages]
    assert places == sorted(places)


def test_the_parts_of_the_reference_are_all_accounted_for() -> None:
    parts = {name for row in table_rows(section("Where the parts of etl_flow have gone")) for name in row[0].split("`")}
    assert {"etl_job.py", "helper_functions", "json", "logs", "scheduling", "yaml"} <= parts


def test_the_places_to_add_a_database_or_a_container_are_as_told() -> None:
    database = (PACKAGE / "database/__init__.py").read_text(encoding="utf-8")
    assert "_MODULES" in section("Adding a database") and re.search(r"^_MODULES = ", database, re.MULTILINE)
    assert "open_database(url, purpose, tables, sql, contract, changes)" in section("Adding a database")
    assert "`open_database(url, purpose, tables, sql, contract, changes)`" in database
    suite = (ROOT / "tests/integration/databases.py").read_text(encoding="utf-8")
    for name in ("sqlite_kind", "DIALECTS", "DIFFERENCES"):
        assert name in section("Adding a database") and name in suite
    assert "open_container(settings)" in section("Adding a container")
    assert "open_container(settings)" in (PACKAGE / "container/__init__.py").read_text(encoding="utf-8")


def test_every_database_has_the_files_that_are_told_and_the_rest_stands_beside_them() -> None:
    lines = section("Adding a database").splitlines()
    own = {found[1] for line in lines if (found := re.match(r" +\| (\w+\.py) \|", line))}
    shared = {row[0].strip("`") for row in table_rows(section("Adding a database"))}
    packages = [path for path in (PACKAGE / "database").iterdir() if (path / "__init__.py").is_file()]
    assert len(own) > 5 and len(packages) > 1
    for package in packages:
        assert own <= {path.name for path in package.iterdir()}
    there = {f"database/{path.name}" for path in (PACKAGE / "database").glob("*.py")}
    assert shared == there - {"database/__init__.py"}


def test_the_changelog_begins_with_the_version_that_this_is_and_its_date() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    version, date = re.findall(r"^## \[([^]]+)\](?: - (\S+))?$", changelog, re.MULTILINE)[0]
    assert version == aetl.__version__
    datetime.strptime(date, "%Y-%m-%d").replace(tzinfo=UTC)
