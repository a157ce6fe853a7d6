"""Containers and databases by their names: paths stay paths, URLs name what they say, and mistakes are told."""

from __future__ import annotations

from pathlib import Path

import pytest

from aetl.addresses import (
    AzureAddress,
    azure_address,
    check_connection_string,
    check_container,
    check_database,
    check_sas,
    path_of,
    secrets_of,
)
from aetl.errors import ConfigurationError

ACCOUNT = "https://account.blob.core.windows.net"
EMULATOR = "http://127.0.0.1:10000/devstoreaccount1"


@pytest.mark.parametrize(
    ("url", "address"),
    [
        (f"{ACCOUNT}/exports", AzureAddress(ACCOUNT, "exports", "")),
        (f"{ACCOUNT}/exports/", AzureAddress(ACCOUNT, "exports", "")),
        (f"{ACCOUNT}/exports///", AzureAddress(ACCOUNT, "exports", "")),
        (f"{ACCOUNT}//exports", AzureAddress(ACCOUNT, "exports", "")),
        (f"{ACCOUNT}/exports/nightly", AzureAddress(ACCOUNT, "exports", "nightly/")),
        (f"{ACCOUNT}/exports/bot%20a/nightly/", AzureAddress(ACCOUNT, "exports", "bot a/nightly/")),
        (f"{ACCOUNT}/$root", AzureAddress(ACCOUNT, "$root", "")),
        ("HTTPS://Account.blob.core.windows.net/x-1", AzureAddress("https://Account.blob.core.windows.net", "x-1", "")),
        ("https://chat.example.org/exports/a", AzureAddress("https://chat.example.org", "exports", "a/")),
        (f"{EMULATOR}/exports", AzureAddress(EMULATOR, "exports", "")),
        (f"{EMULATOR}/exports/nightly", AzureAddress(EMULATOR, "exports", "nightly/")),
        ("http://azurite:10000/acc1/exports", AzureAddress("http://azurite:10000/acc1", "exports", "")),
        ("http://[::1]:10000/acc1/exports", AzureAddress("http://[::1]:10000/acc1", "exports", "")),
    ],
)
def test_a_url_names_a_container_and_perhaps_a_folder_in_it(url: str, address: AzureAddress) -> None:
    assert azure_address(url) == address


@pytest.mark.parametrize(
    "path",
    [
        "exports",
        "./exports",
        "/srv/a b#c?d&e=f@g%20:h;i",
        r"C:\exports",
        "C:/exports",
        "C:",
        r"\\server\share",
        "~/exports",
        "notes:2024",
        "x@y.db",
        "50%.db",
        "what?",
        "a;b=c",
        "exports//nightly",
        "größe 5",
        "design=flat",
        "chat.core.data/exports",
        "/srv/user:name@host",
        "./postgresql:/u@h",
        "",
    ],
)
def test_a_path_is_a_path_whatever_it_holds(path: str) -> None:
    assert check_container(path) == path
    assert check_database(path) == path


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:pw@h/db",
        "postgresql://u:p@ss%2Fw@h:5432/db",
        "postgresql://u:p w%zz@h/db",
        "postgresql:///db?host=/tmp",
        "postgres://h1:5432,[::1]:5433/db",
        "postgresql://h/db?user=u@server&password=p@ss",
        "POSTGRESQL://h/db",
        "sqlite:///x.db",
        "sqlite:////srv/a%20b.db",
    ],
)
def test_a_database_that_aetl_knows_is_taken(url: str) -> None:
    assert check_database(url) == url


SIGNED = "sv=2024-11-04&sp=rl&sig=GEHEIMGEHEIM%3D"
MISTAKES = {
    "no scheme": ("account.blob.core.windows.net/exports?" + SIGNED, "without its scheme"),
    "no scheme, no SAS": ("account.blob.core.windows.net/exports", "without its scheme"),
    "htps": ("htps://account.blob.core.windows.net/exports", "Did you mean https://"),
    "one slash": ("http:/account.blob.core.windows.net/exports", "looks like a URL"),
    "no colon": ("https//account.blob.core.windows.net/exports", "looks like a URL"),
    "a semicolon": ("https;//account.example.org/exports", "looks like a URL"),
    "backslashes": (r"https:\\account.example.org\exports", "looks like a URL"),
    "a backslash in it": (ACCOUNT + r"\exports", "backslash"),
    "& for ?": (f"{ACCOUNT}/exports&{SIGNED}", "a SAS begins after a ?"),
    "& for ? in a folder": (f"{ACCOUNT}/exports/nightly&{SIGNED}", "no folder"),
    "a key": ("https://user:GEHEIMGEHEIM@account.blob.core.windows.net/exports", "before an @"),
    "a space": (f"{ACCOUNT}/exp orts", "space"),
    "a line break": (f"{ACCOUNT}/exp\norts", "line break"),
    "quotes": (f'"{ACCOUNT}/exports"', "quotes"),
    "capital letters": (f"{ACCOUNT}/Exports", "small letters"),
    "no container": (f"{ACCOUNT}/", "names no container"),
    "no container in the emulator": (EMULATOR, "names no container"),
    "no server": ("https:///exports", "names no server"),
    "a port": ("https://account.example.org:99999/exports", "cannot be understood"),
    "brackets": ("http://[account/exports", "cannot be understood"),
    "a fragment": (f"{ACCOUNT}/exports#x", "holds a #"),
    "a blob": (f"{ACCOUNT}/exports/backup_20250101.json", "that of a blob"),
    "a zipped blob": (f"{ACCOUNT}/exports/a/backup_20250101.JSON.gz", "that of a blob"),
    "a folder above": (f"{ACCOUNT}/exports/../private", "no folder"),
    "a folder with a line break": (f"{ACCOUNT}/exports/night%0Aly", "no folder"),
    "a folder with a null": (f"{ACCOUNT}/exports/nightly%00", "no folder"),
    "a space in the scheme": ("https ://GEHEIM.blob.core.windows.net/exports", "looks like a URL"),
    "escaped for a shell": (r"https\://account.blob.core.windows.net/GEHEIM", "looks like a URL"),
    "a variable with its name": (f"URL={ACCOUNT}/GEHEIM", "looks like a URL"),
    "a key with a colon": ("AccountKey: R0VIRUlN", "connection string"),
    "JSON": ('{"AccountKey": "R0VIRUlN"}', "connection string"),
    "another service": ("https://account.dfs.core.windows.net/exports", "Write .blob."),
    "a SAS": (SIGNED, "this is a SAS token"),
    "a SAS with its ?": ("?" + SIGNED, "this is a SAS token"),
    "a path with a SAS": ("exports?" + SIGNED, "no SAS"),
    "an absolute path with a SAS": ("/exports?" + SIGNED, "no SAS"),
    "a file URL with a SAS": ("file:///exports?" + SIGNED, "neither a SAS"),
    "a connection string": ("AccountName=a;AccountKey=R0VIRUlN", "connection string"),
    "a host and a port": ("127.0.0.1:10000/devstoreaccount1/exports", "looks like a URL"),
    "localhost": ("localhost:10000/devstoreaccount1/exports", "looks like a URL"),
    "a database": ("postgresql://u:GEHEIMGEHEIM@h/db", "postgresql:// is not supported here"),
    "a user": ("user:GEHEIMGEHEIM@host/exports", "looks like a URL"),
    "slashes and a user": ("//user:GEHEIMGEHEIM@host/exports", "looks like a URL"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_what_is_no_container_is_refused_in_words_that_repeat_none_of_it(mistake: str) -> None:
    text, told = MISTAKES[mistake]
    with pytest.raises(ConfigurationError) as caught:
        check_container(text)
    assert told in caught.value.line
    assert "GEHEIM" not in caught.value.line and "R0VIRUlN" not in caught.value.line


DATABASE_MISTAKES = {
    "a space in the scheme": ("postgresql ://chat:GEHEIM@127.0.0.1/db", "looks like a URL"),
    "a line of a passfile": ("127.0.0.1:5432:db:chat:GEHEIM", "looks like a URL"),
    "a password with a colon": ("Password : GEHEIM", "looks like a URL"),
    "one slash": ("postgresql:/chat:GEHEIM@127.0.0.1/db", "looks like a URL"),
    "no colon": ("postgres//chat:GEHEIM@127.0.0.1/db", "looks like a URL"),
    "no slash": ("postgres:chat:GEHEIM@127.0.0.1/db", "looks like a URL"),
    "no scheme": ("chat:GEHEIM@127.0.0.1/db", "looks like a URL"),
    "only a server": ("db.example.org:5432/db", "looks like a URL"),
    "another database": ("mysql://chat:GEHEIM@127.0.0.1/db", "mysql:// is not supported here"),
    "a driver": ("postgresql+asyncpg://chat:GEHEIM@h/db", "postgresql+asyncpg:// is not supported here"),
    "jdbc": ("jdbc:postgresql://h/db?password=GEHEIM", "looks like a URL"),
    "libpq": ("host=127.0.0.1 user=chat password=GEHEIM", "looks like a URL or a DSN"),
    "libpq in another order": ("application_name=x password='GEHEIM' host=h", "looks like a URL or a DSN"),
    "ADO": ("Server=tcp:h,1433;Database=db;Password=GEHEIM;", "looks like a URL or a DSN"),
    "ODBC": ("Driver={PostgreSQL};Server=h;Pwd={GEHEIM};", "looks like a URL or a DSN"),
    "a port too high": ("postgresql://chat:GEHEIM@h:99999/db", "port"),
    "port 0": ("postgresql://h:0/db", "port"),
    "a port in letters": ("postgresql://h:abc/db", "port"),
    "a port as a parameter": ("postgresql://h/db?port=70000", "port"),
    "a slash in the password": ("postgresql://chat:1/GEHEIM@h:1/db", "must encode"),
    "a # in the password": ("postgresql://chat:GEHEIM#x@h/db", "must encode"),
    "a ? in the password": ("postgresql://chat:GEHEIM?x@h/db", "must encode"),
    "an @ and a slash in the password": ("postgresql://chat:a@GEHEIM/b@h/db", "must encode"),
    "an = behind a ?": ("postgresql://chat:1?GEHEIM=x@h/db", "must encode"),
    "a bracket": ("postgresql://chat:GE[HEIM@h/db", "cannot be understood"),
    "a line break": ("postgresql://chat:GEHEIM@h/d\nb", "line break"),
    "a container": (f"{ACCOUNT}/exports?{SIGNED}", "https:// is not supported here"),
    "a SAS": (SIGNED, "this is a SAS token"),
    "a connection string": ("DefaultEndpointsProtocol=https;AccountKey=GEHEIM", "connection string"),
    "a user of SQLite": ("sqlite://chat:GEHEIM@h/x.db", "neither a SAS nor a password"),
}


@pytest.mark.parametrize("mistake", DATABASE_MISTAKES)
def test_what_is_no_database_is_refused_in_words_that_repeat_none_of_it(mistake: str) -> None:
    text, told = DATABASE_MISTAKES[mistake]
    with pytest.raises(ConfigurationError) as caught:
        check_database(text)
    assert told in caught.value.line
    assert "GEHEIM" not in caught.value.line and "HEIM" not in caught.value.line


@pytest.mark.parametrize(
    "token", [f"{ACCOUNT}/exports?{SIGNED}", "sv=1&sig=GEH EIM", "AccountName=a;AccountKey=GEHEIM"]
)
def test_what_is_no_sas_is_refused(token: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        check_sas(token)
    assert "GEH" not in caught.value.line


@pytest.mark.parametrize("text", [f"{ACCOUNT}/exports?{SIGNED}", "?" + SIGNED, SIGNED])
def test_what_is_no_connection_string_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="this is no connection string"):
        check_connection_string(text)


@pytest.mark.parametrize(
    ("url", "scheme", "path"),
    [
        ("local.db", "sqlite", "local.db"),
        ("/srv/x.db", "sqlite", "/srv/x.db"),
        ("sqlite:///x.db", "sqlite", "x.db"),
        ("sqlite:////srv/a%20b.db", "sqlite", "/srv/a b.db"),
        ("SQLite:///x.db", "sqlite", "x.db"),
        ("file:///srv/a%20b", "file", "/srv/a b"),
        ("file://localhost/srv/a", "file", "/srv/a"),
    ],
)
def test_a_path_and_its_url_are_the_same(url: str, scheme: str, path: str) -> None:
    assert path_of(url, scheme) == Path(path)


@pytest.mark.parametrize(
    ("url", "scheme"), [("postgresql://x", "sqlite"), ("sqlite:///x", "file"), ("file://server/share", "file")]
)
def test_other_urls_are_refused(url: str, scheme: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        path_of(url, scheme)
    assert "path" in caught.value.hint


@pytest.mark.parametrize(
    "url", ["postgresql://postgres@127.0.0.1:5432/db?search_path=a", "postgresql://host/db", "a:b.db"]
)
def test_a_database_without_a_password_has_no_secret(url: str) -> None:
    assert secrets_of(None, None, None, url) == []
