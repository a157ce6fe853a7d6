"""What the operator gives as a container or a database: a path, a URL that aetl knows, or a mistake.

A mistake is refused before anything is done with it, in words that repeat nothing of what was given: a URL with a
typing error in it still holds its secret.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from aetl.errors import ConfigurationError

AZURE_HINT = "A container's URL looks like https://ACCOUNT.blob.core.windows.net/CONTAINER."
POSTGRESQL_HINT = "It looks like postgresql://USER@HOST:PORT/DATABASE."
_PATH_HINT = "If it is a path, begin it with ./ or with a slash."
_ENCODE = (
    "In a user's name or a password write / as %2F, # as %23, ? as %3F, @ as %40, : as %3A and % as %25;"
    " or keep the password in the variable PGPASSWORD."
)

DATABASES = ("sqlite", "postgresql", "postgres")
"""The schemes of the URLs that name a database."""
_CONTAINERS = ("https", "http", "file")
_FOREIGN = (
    "mysql", "mariadb", "mssql", "sqlserver", "oracle", "mongodb", "redis", "jdbc", "odbc", "s3", "gs", "ftp", "sftp",
    "abfs", "abfss", "wasb", "wasbs", "azure",
)  # fmt: skip

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")
_PLAIN_PATH = re.compile(r"[A-Za-z]:(?:[\\/]|$)|\\\\|\.{1,2}[\\/]|/(?!/)|~")
"""A Windows drive, a share, or what begins as only a path does."""
_KEYS_OF_A_DSN = (
    r"host|hostaddr|server|addr|address|data source|network address|dbname|database|initial catalog|user|userid|user id"
    r"|uid|username|password|pwd|passwd|port|passfile|service|sslmode|driver|provider|trusted_connection"
)
_DSN = re.compile(rf"\s*(?:{_KEYS_OF_A_DSN})\s*=|.*(?:password|pwd|passwd)[\"']?\s*[=:]", re.IGNORECASE | re.DOTALL)
_CONNECTION_STRING = re.compile(
    r"(?:DefaultEndpointsProtocol|AccountName|AccountKey|BlobEndpoint|SharedAccessSignature|EndpointSuffix"
    r"|UseDevelopmentStorage)[\"']?\s*[=:]",
    re.IGNORECASE,
)
_SIGNATURE = re.compile(r"(?:^|[?&;\s])sig\s*=", re.IGNORECASE)
_SAS = re.compile(r"\s*\??\s*(?:s[vprestk]|ss|srt|spr|sip|sig|skoid|sktid)=[^/&]*(?:&|$)", re.IGNORECASE)
_ONE_SLASH = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:+[/\\]")
_NO_SLASH = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)(?:[:;]|//)")
_PASSFILE = re.compile(r"[^:]*:(?:\d{1,5}|\*):[^:]*:[^:]*:.")
"""A line of libpq's file of passwords: host:port:database:user:password."""
_USER = re.compile(r"(?://)?[^/\\\s:@]+:[^@]*@")
_HOST = re.compile(
    r"(?://)?(?:[\w.-]+\.(?:core\.(?:windows|\w+cloudapi)|storage\.azure)\.\w+(?:[:/?&]|$)|(?:localhost|[\w-]+(?:\.[\w-]+)+):\d+(?:/|$))",
    re.IGNORECASE,
)

_NAME = re.compile(r"(?=.{3,63}\Z)[a-z0-9]+(?:-[a-z0-9]+)*|\$(?:root|web|logs)")
"""A container's name, after Microsoft's "Naming and referencing containers, blobs, and metadata"."""
_OTHER_SERVICE = re.compile(r"\.(dfs|file|queue|table|web)\.(?:core|storage)\.", re.IGNORECASE)
_BREAKS = re.compile(r"[\s\x00-\x20\x7f]")


@dataclass(frozen=True, slots=True)
class AzureAddress:
    """A container in a storage account, and the folder in it where exports lie: empty, or with a slash at its end."""

    account_url: str
    container: str
    folder: str


def is_azure(container: str) -> bool:
    """Whether a container's name is the URL of an Azure container, as opposed to a folder."""
    return container.lower().startswith(("https://", "http://"))


def split_sas(container: str) -> tuple[str, str | None]:
    """An Azure container's URL without its query, and that query: the SAS, if there is one."""
    url, _, query = container.partition("?")
    return url, query.strip().lstrip("?") or None


def secrets_of(container: object, sas: object, connection_string: object, database: object) -> list[str]:
    """Every text in these settings that is secret, also where they are not what they should be."""
    found = [str(given) for given in (sas, connection_string) if given]
    for address in (container, database):
        text = str(address or "")
        found += [each[1] for each in _SECRETS.finditer(text)]
        parameters = [each.partition("=") for each in re.split("[?&]", text)[1:]]
        found += [value for name, _, value in parameters if _SECRET_NAME.search(name)]  # which may hold spaces
        # A password up to the last @, wherever the URL breaks off; and in the pieces into which it breaks then.
        user, _, password = text.rpartition("@")[0].partition("://")[2].partition(":")
        found += [unquote(user).partition(":")[2]]  # whose colon was encoded, too
        if not _PLAIN_PATH.match(text):
            found += [password if "://" in text else text.rpartition("@")[0].partition(":")[2]]
            found += re.split(r"[/\\?#@:;&=\s]", password) if re.search(r"[/\\?#\s]", password) else []
    if connection_string:
        found += [each[1] for each in _SECRETS.finditer(str(connection_string))]
    return [each for each in found if each]


_SECRETS = re.compile(
    r"(?:(?:\b|_)sig|AccountKey|SharedAccessKey|password|passwd|pwd)\s*=\s*('[^']*'|\"[^\"]*\"|\{[^}]*\}|[^&;\s]+)",
    re.IGNORECASE,
)

_SECRET_NAME = re.compile(r"(?:pass|password|passwd|pwd|pw|sig)\s*\Z", re.IGNORECASE)


def check_container(text: str) -> str:
    """The same text, or ConfigurationError where it is neither a path nor a URL that names a container."""
    _refuse_mistakes(text, _CONTAINERS, "a path, or a URL that begins with https:// or file://")
    if is_azure(text):
        azure_address(split_sas(text)[0])
    return text


def azure_address(url: str) -> AzureAddress:
    """What an Azure container's URL names; raises ConfigurationError where it names none, or something else.

    Behind a server's name stands the container; behind an address or a name without a dot, as the emulator has it, the
    account and then the container. What follows is a folder.
    """
    parts = _parts(url, AZURE_HINT)
    if "@" in parts.netloc:
        raise ConfigurationError(
            "the URL holds a user or a key before an @, which Azure does not take",
            hint=f"Set the key as part of a connection string, or set a SAS. {AZURE_HINT}",
        )
    if parts.query or parts.fragment or "#" in url:
        raise ConfigurationError("the URL holds a #, which no container's URL does", hint=AZURE_HINT)
    if service := _OTHER_SERVICE.search(parts.netloc):
        raise ConfigurationError(
            f"the URL is that of another service of the account ({service[1]})",
            hint=f"Write .blob. in its place. {AZURE_HINT}",
        )
    account, names = "", unquote(parts.path).strip("/").split("/")
    if _has_account_in_path(parts.hostname or "", names):
        account = f"/{names.pop(0)}"
    if not names or not names[0]:
        raise ConfigurationError("the URL names no container", hint=AZURE_HINT)
    container, *folders = names
    if not _NAME.fullmatch(container):
        raise ConfigurationError(
            "what stands in the URL as the container's name is none: 3 to 63 small letters, digits and single hyphens"
            + (", and a SAS begins after a ?" if "=" in container else ""),
            hint=AZURE_HINT,
        )
    if folders and re.search(r"\.json(\.gz)?\Z", folders[-1], re.IGNORECASE):
        raise ConfigurationError(
            "the URL is that of a blob, and not of a container",
            hint="Name the container alone, and the blob with `aetl load --blob NAME`.",
        )
    if {".", ".."} & set(folders) or any("=" in each or not each.isprintable() for each in folders):
        raise ConfigurationError("what follows the container in the URL is no folder", hint=AZURE_HINT)
    return AzureAddress(f"{parts.scheme}://{parts.netloc}{account}", container, "".join(f"{each}/" for each in folders))


def check_sas(token: str) -> str:
    """A SAS without the ? before it; raises ConfigurationError for what is something else."""
    token = token.strip().lstrip("?")
    if "://" in token or _CONNECTION_STRING.match(token):
        raise ConfigurationError(
            "this is no SAS token", hint="It is what follows the ? in the URL that Azure gives: sv=...&sig=..."
        )
    if _BREAKS.search(token):
        raise ConfigurationError(
            "the SAS holds a space or a line break", hint="Copy it again, in one piece: sv=...&sig=..."
        )
    return token


def check_connection_string(text: str) -> str:
    """The same text, or ConfigurationError where it is something else."""
    text = text.strip()
    if _SCHEME.match(text) or _SAS.match(text):
        raise ConfigurationError(
            "this is no connection string",
            hint="It looks like DefaultEndpointsProtocol=https;AccountName=...;AccountKey=...;EndpointSuffix=...",
        )
    return text


def check_database(text: str) -> str:
    """The same text, or ConfigurationError where it is neither a path nor a URL that names a database."""
    _refuse_mistakes(text, DATABASES, "a path, or a URL that begins with postgresql:// or sqlite://")
    scheme = scheme_of(text)
    if scheme in ("postgresql", "postgres"):
        _check_postgresql(text)
    return text


def scheme_of(text: str) -> str | None:
    """The scheme of a URL in small letters; None for a path."""
    found = _SCHEME.match(text)
    return found[1].lower() if found else None


def path_of(url: str, scheme: str) -> Path:
    """The path that a `scheme://` URL or a plain path names: `file:///C:/x`, `sqlite:///x.db`, `sqlite:////srv/x.db`.

    Raises ConfigurationError for another scheme or for a URL that names another machine.
    """
    found = scheme_of(url)
    if found is None:
        return Path(url)
    if found != scheme:
        raise ConfigurationError(f"{found}:// is not supported here", hint=f"Give a path or a {scheme}:// URL.")
    rest = url.partition("://")[2]
    if scheme == "sqlite":  # three slashes and a relative path, or four and an absolute one, as SQLAlchemy spells it
        return Path(unquote(rest.removeprefix("/")))
    host, slash, path = rest.partition("/")
    if host not in ("", "localhost"):
        raise ConfigurationError("the URL names another machine", hint="Write file:///, then the path.")
    from urllib.request import url2pathname  # takes longer to import than most paths to need it

    return Path(url2pathname(slash + path))


def _check_postgresql(url: str) -> None:
    parts = _parts(url, f"{POSTGRESQL_HINT} {_ENCODE}", spaces=True)
    parameters = parts.query.split("&") if parts.query else []
    if (
        "#" in url
        or "@" in parts.path
        or any("=" not in each for each in parameters)
        or any("@" in each and each.partition("=")[0] not in ("user", "password", "host") for each in parameters)
    ):
        raise ConfigurationError(
            "the database's URL has a character in its user's name or password that a URL must encode", hint=_ENCODE
        )
    hosts = parts.netloc.rpartition("@")[2].split(",")
    ports = [each.rpartition(":")[2] for each in hosts if re.search(r":[^\]]*\Z", each)]
    ports += [port for key, value in parse_qsl(parts.query) if key == "port" for port in value.split(",")]
    for port in ports:
        if not (port.isascii() and port.isdigit() and len(port) <= 5 and 0 < int(port) < 2**16):
            raise ConfigurationError(
                "the database's URL has a port that is no number from 1 to 65535", hint=f"{POSTGRESQL_HINT} {_ENCODE}"
            )


def _parts(url: str, hint: str, *, spaces: bool = False) -> SplitResult:
    """The parts of a URL; raises ConfigurationError where it has none, or holds what a URL cannot."""
    if re.search(r"[\x00-\x1f\x7f]" if spaces else r"[\x00-\x20\x7f\\]", url):
        raise ConfigurationError("the URL holds a space, a line break or a backslash", hint=hint)
    parts = None
    with suppress(ValueError):  # whose own words hold a part of the URL
        found = urlsplit(url)
        parts = found if spaces or found.port != 0 else None
    if parts is None:
        raise ConfigurationError("the URL cannot be understood", hint=hint)
    if not parts.netloc and not spaces:
        raise ConfigurationError("the URL names no server", hint=hint)
    return parts


def _has_account_in_path(host: str, names: list[str]) -> bool:
    if names[0] == "devstoreaccount1" or "." not in host or host == "host.docker.internal":
        return True
    return re.fullmatch(r"[\d.]+", host) is not None


def _refuse_mistakes(text: str, schemes: tuple[str, ...], known: str) -> None:
    """Raises ConfigurationError for what looks like a URL, a DSN or a secret, and is no URL with one of `schemes`."""
    bare = text.strip().strip("'\"")
    if (scheme := scheme_of(bare)) is not None:
        if scheme in ("file", "sqlite") and (_SIGNATURE.search(bare) or _USER.match(bare.partition("://")[2])):
            raise ConfigurationError("the URL of a file holds neither a SAS nor a password", hint=f"Give {known}.")
        if scheme in schemes and bare == text:
            return
        if scheme in schemes:
            raise ConfigurationError("the URL stands in quotes or between spaces", hint="Leave these away.")
        close = _close(scheme, schemes)
        guess = f"Did you mean {close}://? " if close else ""
        raise ConfigurationError(
            f"{scheme}:// is not supported here"
            if scheme.isascii() and len(scheme) < 20
            else "no such URL is supported",
            hint=f"{guess}Give {known}.",
        )
    if _CONNECTION_STRING.search(bare):
        raise ConfigurationError(
            "this is a connection string",
            hint=f"Set it as the variable AZURE_STORAGE_CONNECTION_STRING, and here give {known}.",
        )
    if _SAS.match(bare):
        raise ConfigurationError(
            "this is a SAS token", hint=f"Set it as the variable CHAT_DB_CONTAINER_SAS_TOKEN, and here give {known}."
        )
    if _HOST.match(bare):
        raise ConfigurationError("this looks like a URL without its scheme", hint=f"Give {known}. {_PATH_HINT}")
    if _SIGNATURE.search(bare) or _SIGNATURE.search(unquote(bare)):
        raise ConfigurationError("a path can have no SAS", hint=f"Give {known}.")
    if _PLAIN_PATH.match(bare):
        return
    word = _NO_SLASH.match(bare)
    if (
        "://" in bare
        or any(each.match(bare) for each in (_DSN, _USER, _ONE_SLASH, _PASSFILE))
        or (word and _close(word[1].lower(), (*_CONTAINERS, *DATABASES, *_FOREIGN)))
    ):
        raise ConfigurationError(
            "this looks like a URL or a DSN, and is none that aetl knows", hint=f"Give {known}. {_PATH_HINT}"
        )


def _close(word: str, words: tuple[str, ...]) -> str | None:
    from difflib import get_close_matches  # takes longer to import than all else here, and only a mistake needs it

    return next(iter(get_close_matches(word, words, 1, 0.7)), None)
