"""A database behind aetl's back: laid down as it was before, and looked at without a touch."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from tests.acceptance.command import content, is_sound


def lay_down(before: Path, database: Path = Path("local.db")) -> None:
    """Puts a database back to what it was, which may be none."""
    for path in database.parent.glob(f"{database.name}*"):
        path.unlink()
    if before.exists():
        shutil.copy(before, database)


def content_of_sound(database: Path = Path("local.db")) -> dict[str, str]:
    """A hash of each table's rows, of a database that is sound, or not there.

    Looks at a copy: whoever opens what a killed load leaves rolls it back, and that is left to aetl.
    """
    with tempfile.TemporaryDirectory() as folder:
        for path in database.parent.glob(f"{database.name}*"):
            shutil.copy(path, folder)
        copy = Path(folder, database.name)
        assert is_sound(copy)
        return content(copy)
