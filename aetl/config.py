"""Settings: what the command line, the environment and yaml/config.yaml say, in that order."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from importlib import resources
from pathlib import Path
from typing import Any, Literal, TypedDict, Unpack

from aetl.addresses import is_azure, secrets_of, split_sas
from aetl.errors import ConfigurationError
from aetl.logs import Confidential, cleaned, hide, redact
from aetl.values import checked
from aetl.yaml_text import Document, NotYAML, read_yaml

LogFormat = Literal["text", "json"]
Changes = Literal["apply", "refuse"]
LogLevel = Literal["DEBUG", "INFO", "WARNING", "ERROR"]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Settings:
    """All that aetl can be told.

    `container` is an Azure container's URL, a `file://` URL or a folder; a SAS in its query moves to `sas` and wins
    over one given there. `database` is a path, or a URL that may hold a password. `timeout` and `pause` are in
    seconds. Secrets show in no repr, neither of the settings nor of one of them.

    Raises ConfigurationError, which repeats no secret, for a value that makes no sense.
    """

    container: str | None = None
    sas: str | None = field(default=None, repr=False)
    connection_string: str | None = field(default=None, repr=False)
    database: str = field(default="local.db", repr=False)
    schema: Path | None = None
    sql: Path | None = None
    changes: Changes = "apply"
    log_file: Path = Path("global.log")
    log_level: LogLevel = "INFO"
    log_format: LogFormat = "text"
    timeout: float = 30.0
    retries: int = 4
    pause: float = 1.0
    container_variable: str = "CHAT_DB_CONTAINER_URL"
    sas_variable: str = "CHAT_DB_CONTAINER_SAS_TOKEN"

    @cleaned()
    def __post_init__(self) -> None:
        given = {name: getattr(self, name) for name in _NAMES}
        for name, value in _separated(given, dict.fromkeys(given, "")).items():
            object.__setattr__(self, name, value)

    def __repr__(self) -> str:
        shown = ", ".join(f"{each.name}={getattr(self, each.name)!r}" for each in fields(self) if each.repr)
        return redact(f"Settings({shown})")

    def need_container(self) -> str:
        """The container, or ConfigurationError where none is set."""
        if self.container is None:
            raise ConfigurationError(
                "no container is set",
                hint=f"Set the environment variable {self.container_variable}, or name one with --container.",
            )
        return self.container


class Options(TypedDict, total=False):
    """What `read_settings` takes by name: a setting each, None where it is not given."""

    container: str | os.PathLike[str] | None
    sas: str | None
    connection_string: str | None
    database: str | os.PathLike[str] | None
    schema: str | os.PathLike[str] | None
    sql: str | os.PathLike[str] | None
    changes: Changes | None
    log_file: str | os.PathLike[str] | None
    log_level: str | None
    log_format: LogFormat | None
    timeout: float | None
    retries: int | None
    pause: float | None


@cleaned()
def read_settings(
    config: str | os.PathLike[str] | None = None,
    environ: Mapping[str, str] | None = None,
    **options: Unpack[Options],
) -> Settings:
    """Settings out of `options` (None means not given), the environment, `config` and aetl's own yaml/config.yaml.

    Raises ConfigurationError for a file that cannot be read and for values that make no sense; it says whether the
    file (and which line), a variable or an option holds them.
    """
    if unknown := [name for name in options if name not in _NAMES]:
        raise TypeError(
            f"read_settings() got an unexpected keyword argument {unknown[0]!r}{_meant(unknown[0], _NAMES)}"
        )
    environ = os.environ if environ is None else environ
    values, names = _own_values()
    sources = dict.fromkeys(values, "aetl's own config.yaml")
    if config is not None:
        document = _read_file(Path(config))
        own, own_names = _split(document, str(config), values)
        names |= own_names
        own = {name: value for name, value in own.items() if value is not None}
        values |= own
        sources |= {name: f"{config}, line {_line(document, name)}: {name}" for name in own}
    variables = {_VARIABLES[name]: variable for name, variable in names.items()}
    for name, variable in variables.items():
        if value := environ.get(variable, "").strip():
            values[name], sources[name] = value, variable
    for name, option in options.items():
        if option is not None:
            values[name], sources[name] = option, name
    given = {name: value for name, value in values.items() if value is not None and value != ""}
    return Settings(
        **_separated(given, sources), container_variable=names["container_url"], sas_variable=names["sas_token"]
    )


def variable_names(config: Path | None = None) -> list[str]:
    """The environment variables that are read, by their names in `config` where that names others."""
    values, names = _own_values()
    if config is not None:
        names |= _split(_read_file(config), str(config), values)[1]
    return list(names.values())


_NAMES = tuple(each.name for each in fields(Settings) if not each.name.endswith("_variable"))
_VARIABLES = {
    "container_url": "container",
    "sas_token": "sas",
    "connection_string": "connection_string",
    "database_url": "database",
}


def _separated(given: Mapping[str, Any], sources: Mapping[str, str]) -> dict[str, Any]:
    """The settings as their types, the SAS apart from the container's URL, all secrets known to the log.

    `sources` says where each was given, and is empty for a setting of which the name is enough.
    """
    for secret in secrets_of(*(given.get(name) for name in ("container", "sas", "connection_string", "database"))):
        hide(secret)
    for secret in _secrets_of_drivers():
        hide(secret)
    values = {
        name: checked(name, value, sources[name] or name)
        for name, value in given.items()
        if name not in _OPTIONAL or (value is not None and value != "")
    }
    if "container" in values and is_azure(values["container"]):
        values["container"], sas = split_sas(values["container"])
        values["container"] = values["container"].rstrip("/")
        if sas is not None:
            values["sas"] = checked("sas", sas, sources["container"] or "container")
    # An empty SAS, such as a ? alone, is none.
    confidential = {name: Confidential(values[name]) for name in _CONFIDENTIAL if values.get(name)}
    return dict.fromkeys(name for name in given if name in _OPTIONAL) | values | confidential


def _secrets_of_drivers() -> list[str]:
    """Those in variables that the drivers of PostgreSQL and of HTTP read by themselves."""
    proxies = [url for name, url in os.environ.items() if name.lower() in ("http_proxy", "https_proxy", "all_proxy")]
    return [os.environ.get("PGPASSWORD", ""), *(each for url in proxies for each in secrets_of(url, None, None, None))]


_CONFIDENTIAL = ("sas", "connection_string", "database")
_OPTIONAL = ("container", "sas", "connection_string", "schema", "sql")


def _own_values() -> tuple[dict[str, Any], dict[str, str]]:
    text = resources.files("aetl").joinpath("yaml/config.yaml").read_text(encoding="utf-8")
    content = read_yaml(text).content
    names = content.pop("environment")
    return content, names


def _split(document: Document, source: str, known: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """The settings of a file of the operator's, and the names of variables that it gives; `known` are the settings."""
    values = _mapping(document.content or {}, source, "the file")
    names = _mapping(
        values.pop("environment", None) or {}, f"{source}, line {_line(document, 'environment')}", "environment"
    )
    for path, all_known in [((name,), (*known, "environment")) for name in values] + [
        (("environment", name), tuple(_VARIABLES)) for name in names
    ]:
        if path[-1] not in all_known:
            raise ConfigurationError(
                f"{source}, line {_line(document, *path)}: unknown setting {path[-1]!r}{_meant(path[-1], all_known)}",
                hint="A secret is set in the environment."
                if path[-1] in _NAMES
                else f"These are known: {', '.join(all_known)}.",
            )
    for name, variable in names.items():
        if not isinstance(variable, str) or not variable or "=" in variable or "\0" in variable:
            raise ConfigurationError(
                f"{source}, line {_line(document, 'environment', name)}: {name} must be the name of a variable",
                hint="Name one, such as CHAT_DB_CONTAINER_URL.",
            )
    return values, names


def _line(document: Document, *path: str) -> int:
    return document.lines.get(path, 1)  # a name that is no text, such as 1.50, is spelt otherwise there


def _meant(name: str, known: Iterable[str]) -> str:
    from difflib import get_close_matches  # takes longer to import than all else here, and only a mistake needs it

    close = get_close_matches(name, known, 1)
    return f"; did you mean {close[0]!r}?" if close else ""


def _read_file(path: Path) -> Document:
    reason, hint = "", "Name a readable file with --config."
    try:
        return read_yaml(path.read_text(encoding="utf-8"))
    except NotYAML as error:
        reason, hint = str(error), "Mend the file."
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8"
    raise ConfigurationError(f"{path} cannot be read: {reason}", hint=hint)


def _mapping(content: Any, source: str, what: str) -> dict[str, Any]:
    if not isinstance(content, dict):
        raise ConfigurationError(f"{source}: {what} must be a mapping of names to values", hint="See yaml/config.yaml.")
    return {str(name): value for name, value in content.items()}
