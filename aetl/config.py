"""Settings: what the command line, the environment and yaml/config.yaml say, in that order."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, fields, replace
from importlib import resources
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qs, unquote, urlsplit, urlunsplit

import yaml

from aetl.errors import ConfigurationError
from aetl.logs import hide

LogFormat = Literal["text", "json"]
_URL_HINT = "It looks like https://ACCOUNT.blob.core.windows.net/CONTAINER."
_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All that aetl can be told.

    `container` is an Azure container's URL, a `file://` URL or a folder; a SAS in its query moves to `sas` and wins
    over one given there. `database` is a path, or a URL that may hold a password. `timeout` and `pause` are in
    seconds. Secrets show in no repr.
    """

    container: str | None = None
    sas: str | None = field(default=None, repr=False)
    connection_string: str | None = field(default=None, repr=False)
    database: str = field(default="local.db", repr=False)
    schema: Path | None = None
    sql: Path | None = None
    log_file: Path = Path("global.log")
    log_level: str = "INFO"
    log_format: LogFormat = "text"
    timeout: float = 30.0
    retries: int = 4
    pause: float = 1.0
    container_variable: str = "CHAT_DB_CONTAINER_URL"

    def __post_init__(self) -> None:
        container, sas = self.container, self.sas
        if container and is_azure(container):
            try:
                parts = urlsplit(container)
            except ValueError:
                raise ConfigurationError("the container's URL cannot be understood", hint=_URL_HINT) from None
            sas = parts.query or sas
            container = urlunsplit(parts._replace(query="", fragment=""))
        sas = sas.strip().removeprefix("?") if sas else None
        object.__setattr__(self, "container", container or None)
        object.__setattr__(self, "sas", sas or None)
        for secret in filter(None, (sas, self.connection_string)):
            _hide_parts(secret)
        _hide_password(self.database)

    def need_container(self) -> str:
        """The container, or ConfigurationError where none is set."""
        if self.container is None:
            raise ConfigurationError(
                "no container is set",
                hint=f"Set the environment variable {self.container_variable}, or name one with --container.",
            )
        return self.container


def is_azure(container: str) -> bool:
    """Whether a container's name is the URL of an Azure container, as opposed to a folder."""
    return container.lower().startswith(("https://", "http://"))


def path_of(url: str, scheme: str) -> Path:
    """The path that a `scheme://` URL or a plain path names: `file:///C:/x`, `sqlite:///x.db`, `sqlite:////srv/x.db`.

    Raises ConfigurationError for another scheme or for a URL that names another machine.
    """
    found = re.match(r"([A-Za-z][A-Za-z0-9+.-]+)://", url)
    if found is None:
        return Path(url)
    if found[1].lower() != scheme:
        raise ConfigurationError(
            f"{found[1]}:// is not supported here",
            hint=f"Give a path or a {scheme}:// URL." + (" A container may be an https:// URL." * (scheme == "file")),
        )
    rest = url[found.end() :]
    if scheme == "sqlite":  # three slashes and a relative path, or four and an absolute one, as SQLAlchemy spells it
        return Path(unquote(rest.removeprefix("/")))
    host, slash, path = rest.partition("/")
    if host not in ("", "localhost"):
        raise ConfigurationError(f"{url} names another machine", hint="Write file:///, then the path.")
    from urllib.request import url2pathname  # takes longer to import than most paths to need it

    return Path(url2pathname(slash + path))


def read_settings(config: Path | None = None, environ: Mapping[str, str] | None = None, **options: Any) -> Settings:
    """Settings out of `options` (None means not given), the environment, `config` and aetl's own yaml/config.yaml.

    Raises ConfigurationError for a file that cannot be read and for values that make no sense.
    """
    environ = os.environ if environ is None else environ
    values = _own_yaml()
    names = values.pop("environment")
    if config is not None:
        own = _read_yaml(_text_of(config), str(config))
        names |= _mapping(own.pop("environment", None) or {}, config, "environment")
        if unknown := [*(own.keys() - values.keys()), *(names.keys() - _VARIABLES.keys())]:
            raise ConfigurationError(
                f"{config}: unknown setting {', '.join(map(repr, unknown))}",
                hint=f"These are known: {', '.join([*values, *_VARIABLES])}.",
            )
        values |= {name: value for name, value in own.items() if value is not None}
    variables = {_VARIABLES[name]: environ.get(variable, "").strip() for name, variable in names.items()}
    values |= {name: value for name, value in variables.items() if value}
    values |= {name: value for name, value in options.items() if value is not None}
    return _checked(Settings(**_typed(values), container_variable=names["container_url"]))


def variable_names(config: Path | None = None) -> list[str]:
    """The environment variables that are read, by their names in `config` where that names others."""
    names = _own_yaml()["environment"]
    if config is not None:
        own = _read_yaml(_text_of(config), str(config))
        names |= _mapping(own.get("environment") or {}, config, "environment")
    return list(names.values())


def _own_yaml() -> dict[str, Any]:
    return _read_yaml(resources.files("aetl").joinpath("yaml/config.yaml").read_text(encoding="utf-8"), "config.yaml")


_VARIABLES = {
    "container_url": "container",
    "sas_token": "sas",
    "connection_string": "connection_string",
    "database_url": "database",
}
_TYPES = {"schema": Path, "sql": Path, "log_file": Path, "timeout": float, "retries": int, "pause": float}


def _typed(values: Mapping[str, Any]) -> dict[str, Any]:
    known = {each.name for each in fields(Settings)}
    typed: dict[str, Any] = {}
    for name, value in values.items():
        if name not in known or value is None or value == "":
            continue
        try:
            typed[name] = _TYPES.get(name, str)(value)
        except (TypeError, ValueError) as error:
            raise ConfigurationError(f"{name}: {value!r} is not a {_TYPES[name].__name__}") from error
    return typed


def _checked(settings: Settings) -> Settings:
    level, form = settings.log_level.upper(), settings.log_format
    if level not in _LEVELS:
        raise ConfigurationError(f"log_level: {level!r} is none of {', '.join(_LEVELS)}")
    if form not in ("text", "json"):
        raise ConfigurationError(f"log_format: {form!r} is neither text nor json")
    if not settings.timeout > 0 or settings.retries < 0 or not settings.pause >= 0:  # also false for NaN
        raise ConfigurationError("timeout must be more than 0 seconds, retries and pause at least 0")
    return replace(settings, log_level=level)


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8"
        raise ConfigurationError(
            f"{path} cannot be read: {reason}", hint="Name a readable file with --config."
        ) from error


def _read_yaml(text: str, source: str) -> dict[str, Any]:
    try:
        content = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # too long a number, too deep a nesting
        mark = getattr(error, "problem_mark", None)
        where = f" in line {mark.line + 1}" if mark else ""
        raise ConfigurationError(f"{source} is not YAML{where}", hint="Mend the file.") from error
    return _mapping(content or {}, source, "the file")


def _mapping(content: Any, source: Any, what: str) -> dict[str, Any]:
    if not isinstance(content, dict):
        raise ConfigurationError(f"{source}: {what} must be a mapping of names to values", hint="See yaml/config.yaml.")
    return {str(name): value for name, value in content.items()}


def _hide_parts(secret: str) -> None:
    """Keeps a SAS's signature and a connection string's key out of every log and message."""
    for part in re.split("[&;]", secret):
        name, _, value = part.partition("=")
        if name.strip().lower() in ("sig", "accountkey"):
            hide(value)
    if connection := re.search("SharedAccessSignature=([^;]+)", secret, re.IGNORECASE):
        _hide_parts(connection[1])


def _hide_password(url: str) -> None:
    """Keeps a database's password out of every log and message."""
    with suppress(ValueError):
        parts = urlsplit(url)
        for password in (parts.password, *parse_qs(parts.query).get("password", ())):
            if password:
                hide(password)
