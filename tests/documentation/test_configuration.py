"""The documentation's settings and variables are understood as it says."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

import aetl
from tests.documentation.pages import PACKAGE, blocks, section, table_rows


def test_every_setting_and_variable_is_in_the_configurations_table() -> None:
    content = yaml.safe_load((PACKAGE / "yaml/config.yaml").read_text(encoding="utf-8"))
    settings = {*content, *content["environment"]}
    rows = table_rows(section("Configuration"))
    assert {name for row in rows for name in re.findall(r"`(\w+)`", row[0])} == settings
    assert set(content["environment"].values()) <= {name for row in rows for name in re.findall(r"`(\w+)`", row[2])}


def test_the_example_of_a_configuration_file_is_understood(tmp_path: Path) -> None:
    (own,) = blocks("yaml")[:1]
    Path("own.yaml").write_text(own, encoding="utf-8")
    settings = aetl.read_settings(Path("own.yaml"), environ={"MY_CONTAINER_URL": str(tmp_path)})
    expected = yaml.safe_load(own)
    assert settings.container == str(tmp_path)
    for name in expected.keys() - {"environment"}:
        assert str(getattr(settings, name)) == str(type(getattr(settings, name))(expected[name]))
