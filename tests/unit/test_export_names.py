"""Which blobs are exports, and which of them are compressed, by their names."""

from __future__ import annotations

import pytest

from aetl.container import is_export, is_simulated

NAME = "backup_20250301T020000.json"


@pytest.mark.parametrize(
    ("name", "verdict"),
    [
        ("backup_20250301T020000.json", True),
        ("backup_20250301T020000.123456Z.json.gz", True),
        ("backup_.json", True),
        ("backup_1.json.partial", False),
        ("backup_1.json.gz.partial", False),
        ("backup_1.JSON", False),
        ("backup_1.jsonl", False),
        ("old/backup_1.json", False),
        ("backup_../secret.json", False),
        ("backup_a\\b.json", False),
        ("backup_1.json\n", False),
        ("Backup_1.json", False),
        ("backup_\x1b[31m.json", False),
        ("backup_1\n.json", False),
        ("backup_\u202egpj.json", False),
        ("backup_\udcff.json", False),
        ("backup_\u65e5 \u672c.json", True),
        ("notes.json", False),
    ],
)
def test_an_export_is_known_by_its_name(name: str, verdict: bool) -> None:
    assert is_export(name) is verdict


@pytest.mark.parametrize(
    ("name", "verdict"),
    [
        ("backup_1.simulated.json", True),
        ("backup_1.simulated.json.gz", True),
        ("backup_1.simulated - Copy.json", True),
        ("backup_1.simulated (1).json.gz", True),
        ("backup_1.simulated.json.json", True),
        ("backup_1.SIMULATED.json", True),
        ("backup_1.json", False),
        ("backup_1.simulated_annealing.json", False),
        ("backup_simulated.json", False),
    ],
)
def test_a_simulated_one_is_known_by_its_name_also_as_a_copy(name: str, verdict: bool) -> None:
    assert is_simulated(name) is verdict
