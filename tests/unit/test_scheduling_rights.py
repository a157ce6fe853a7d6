"""Who may change what runs as SYSTEM, by the security descriptors that Windows gives."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from aetl.scheduling.rights import REPLACE, WRITE, is_link, who_may

INSTALLER = "S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464"
PROGRAM_FILES = (
    f"O:{INSTALLER}D:PAI(A;;FA;;;{INSTALLER})(A;CIIO;GA;;;{INSTALLER})(A;;0x1301bf;;;SY)(A;OICIIO;GA;;;SY)"
    "(A;;0x1301bf;;;BA)(A;OICIIO;GA;;;BA)(A;;0x1200a9;;;BU)(A;OICIIO;GXGR;;;BU)(A;OICIIO;GA;;;CO)(A;;0x1200a9;;;AC)"
)
DRIVE = f"O:{INSTALLER}D:PAI(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;OICI;0x1200a9;;;BU)(A;OICIIO;SDGXGWGR;;;AU)(A;;LC;;;AU)"
MADE_IN_IT = "O:BAD:AI(A;OICIID;FA;;;SY)(A;OICIID;FA;;;BA)(A;OICIID;0x1200a9;;;BU)(A;ID;0x1301bf;;;AU)"
PROTECTED = "O:BAD:PAI(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)"
ME = "S-1-5-21-1-2-3-1001"


@pytest.mark.parametrize("descriptor", [PROGRAM_FILES, PROTECTED, f"O:{ME}D:(A;OICI;FA;;;SY)(A;;FA;;;{ME})"])
def test_what_administrators_alone_may_change_is_trusted(descriptor: str) -> None:
    assert who_may(WRITE, descriptor, ME, of_what_is_made_there=True) is None


@pytest.mark.parametrize(
    ("descriptor", "who"),
    [
        (MADE_IN_IT, "Authenticated Users"),
        (PROTECTED.replace("O:BA", "O:S-1-5-21-1-2-3-1002"), "S-1-5-21-1-2-3-1002"),
        (PROTECTED + "(A;OICIIO;GA;;;BU)", "Users"),
        (PROTECTED + "(A;;FA;;;WD)", "Everyone"),
        (PROTECTED + "(A;;FW;;;S-1-5-21-1-2-3-1002)", "S-1-5-21-1-2-3-1002"),
        (PROTECTED + "(A;;WD;;;BU)", "Users"),
        (PROTECTED + '(XA;;FA;;;BU;(@User.x == "y"))', "Users"),
        ("O:BAD:NO_ACCESS_CONTROL", "Everyone"),
        ("O:BA", "Everyone"),
        ("", "Everyone"),
    ],
)
def test_whoever_else_may_change_it_is_named(descriptor: str, who: str) -> None:
    assert who_may(WRITE, descriptor, ME, of_what_is_made_there=True) == who


def test_on_a_drive_everybody_may_make_a_folder_and_none_may_replace_one() -> None:
    assert who_may(REPLACE, DRIVE, ME) is None
    assert who_may(REPLACE, DRIVE + "(A;;DT;;;AU)", ME) == "Authenticated Users"
    assert who_may(WRITE, DRIVE, ME) == "Authenticated Users"


def test_an_entry_that_denies_or_only_reads_gives_nothing() -> None:
    assert who_may(WRITE, PROTECTED + "(D;;FA;;;BU)(A;;FR;;;BU)(A;;0x1200a9;;;WD)(A;;GXGR;;;AU)", ME) is None


@pytest.mark.skipif(sys.platform == "win32", reason="wine makes no links")
def test_a_link_is_told_from_what_it_leads_to(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("folder")
    assert is_link(tmp_path / "link")
    assert not is_link(tmp_path / "folder")
