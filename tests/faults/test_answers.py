"""Answers that Azure never gives: each is one clear line, and none goes on for ever. What sends them is a stand-in."""

from __future__ import annotations

import asyncio
import itertools
import ssl
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from aetl.config import Settings
from aetl.container import azure_retry, azure_transport, open_container
from aetl.container.azure import Azure
from aetl.errors import ContainerUnreachable, ExportChanged, ExportUnavailable
from aetl.models import Export, Finding
from aetl.pipeline import load
from tests.exports import blob_name, encode, make_export

DATE = f"Date: {datetime.now(UTC):%a, %d %b %Y %H:%M:%S} GMT\r\n"
OF_AZURE = "x-ms-request-id: 1\r\nx-ms-version: 2025-01-05\r\n"
XML = "Content-Type: application/xml\r\n"
SILENCE = 0.4

Script = Callable[[str], AsyncIterator[bytes]]
"""The first line of a request -> the bytes that answer it."""


def whole(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{''.join(headers)}\r\n"
    return head.encode() + body


def listing(*blobs: str, marker: str = "") -> bytes:
    items = "".join(f"<Blob>{blob}</Blob>" for blob in blobs)
    text = f"<EnumerationResults><Blobs>{items}</Blobs><NextMarker>{marker}</NextMarker></EnumerationResults>"
    return text.encode()


def blob(name: str, properties: str) -> str:
    return f"<Name>{name}</Name><Properties><BlobType>BlockBlob</BlobType>{properties}</Properties>"


@asynccontextmanager
async def answering(script: Script, *, retries: int = 0, pause: float = 1) -> AsyncIterator[Azure]:
    """A container whose server answers each request as the script says."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # Cancelled it is at the test's end, when nobody waits for it.
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                async for piece in script(head.split(b"\r\n")[0].decode()):
                    writer.write(piece)
                    await writer.drain()
        writer.transport.abort()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/account/exports?sp=rl&sig=x"
    settings = Settings(container=url, retries=retries, pause=pause, timeout=SILENCE)
    async with server, open_container(settings) as container:
        assert isinstance(container, Azure)
        yield container


def always(answer: bytes) -> Script:
    async def script(request: str) -> AsyncIterator[bytes]:
        yield answer

    return script


async def slowly(request: str) -> AsyncIterator[bytes]:
    """A byte now and then: never silent, and never done."""
    yield f"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n{XML}\r\n".encode()
    for byte in itertools.cycle(listing()):
        yield bytes([byte])
        await asyncio.sleep(SILENCE / 10)


async def slowly_from_the_beginning(request: str) -> AsyncIterator[bytes]:
    for letter in itertools.cycle("HTTP/1.1 200 OK\r\nx-header: " + "x" * 9000):
        yield letter.encode()
        await asyncio.sleep(SILENCE / 10)


async def for_ever(request: str) -> AsyncIterator[bytes]:
    yield f"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n{XML}\r\n".encode()
    piece = b"<EnumerationResults><Blobs>".ljust(2**16)
    while True:
        yield b"%x\r\n%b\r\n" % (len(piece), piece)


LISTINGS: dict[str, tuple[Script, str]] = {
    "nothing": (always(whole(b"", DATE, XML)), "answered with nothing"),
    "a page of a captive portal": (always(whole(b"<html>Log in</html>", "Content-Type: text/html\r\n")), "a web page"),
    "a page that a redirect leads to": (
        always(whole(b"", "Location: http://127.0.0.1:9/login\r\n", status="302 Found")),
        "refused the connection",
    ),
    "JSON": (always(whole(b"{}", DATE, XML)), "something else than a list of blobs"),
    "half a list": (always(whole(b"<EnumerationResults><Blobs>", DATE, XML)), "not one of Azure's"),
    "a date of the year 10000": (
        always(whole(listing(blob("backup_1.json", "<Creation-Time>Sat, 01 Jan 10000 00:00:00 GMT</Creation-Time>")))),
        "not one of Azure's",
    ),
    "the same page again and again": (always(whole(listing(marker="more"), DATE, XML)), "same page of its list again"),
    "a byte now and then": (slowly, "all too slow"),
    "a head that does not end": (slowly_from_the_beginning, "all too slow"),
    "a list that does not end": (for_ever, "an answer that does not end"),
}


@pytest.mark.parametrize("case", LISTINGS)
async def test_a_listing_that_is_none_is_told_in_time(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(azure_transport, "LONGEST_PAGE", 2**20)
    monkeypatch.setattr(azure_transport, "SECONDS_TO_CONNECT", 0.2)
    script, says = LISTINGS[case]
    began = time.monotonic()
    async with answering(script) as container:
        with pytest.raises(ContainerUnreachable, match=says):
            async for _ in container.pages():
                pass
    assert time.monotonic() - began < 10 * SILENCE


def of(subject: str, found: list[Finding]) -> list[str]:
    return [each.message for each in found if each.subject == subject]


async def test_a_listing_without_a_date_leaves_the_clock_unknown() -> None:
    ok = blob("backup_1.json", "<Etag>1</Etag><Content-Length>2</Content-Length>")
    async with answering(always(whole(listing(ok), XML))) as container:
        assert of("clock", await container.examine()) == [
            "the server does not tell its time, so this machine's may be wrong"
        ]


async def test_the_clock_is_compared_also_where_the_listing_is_refused() -> None:
    old = "Date: Fri, 01 Mar 2024 02:00:00 GMT\r\n"
    answer = whole(b"", old, "x-ms-error-code: AuthorizationFailure\r\n", status="403 Forbidden")
    async with answering(always(answer)) as container:
        found = await container.examine()
    assert [each.level for each in found] == ["failure", "warning"]
    assert "firewall" in found[0].advice
    assert "s off the server's time" in of("clock", found)[0]


async def test_a_customers_key_is_found_in_the_list() -> None:
    properties = "<Etag>1</Etag><Content-Length>2</Content-Length>"
    key = "<CustomerProvidedKeySha256>c2hh</CustomerProvidedKeySha256>"
    blobs = [blob(f"backup_{n}.json", properties + key * (n > 1)) for n in range(4)]
    async with answering(always(whole(listing(*blobs), DATE, XML))) as container:
        found = of("container", await container.examine())
    assert found[0].endswith("holds 4 exports")
    assert found[1].startswith("2 of the exports cannot be read, for example backup_2.json: it is encrypted with a key")


@pytest.mark.parametrize("lacking", ["Etag", "Content-Length", "both"])
async def test_an_export_without_etag_or_length_fails_alone(lacking: str) -> None:
    good = encode(make_export())
    told = {"Etag": '"1"', "Content-Length": str(len(good))}
    complete = "".join(f"<{name}>{value}</{name}>" for name, value in told.items())
    partly = "".join(f"<{name}>{value}</{name}>" for name, value in told.items() if lacking not in (name, "both"))
    page = whole(listing(blob(blob_name(0), partly), blob(blob_name(1), complete)), DATE, XML)
    content = f'Etag: "1"\r\nContent-Range: bytes 0-{len(good) - 1}/{len(good)}\r\n'

    async def script(request: str) -> AsyncIterator[bytes]:
        yield page if "comp=list" in request else whole(good, DATE, OF_AZURE, content, status="206 Partial Content")

    async with answering(script) as container:
        reports = await load(container._settings)
    assert [(report.blob, report.status) for report in reports] == [(blob_name(0), "failed"), (blob_name(1), "loaded")]
    assert "has no ETag or no length in the server's list" in str(reports[0].error)


READS: dict[str, tuple[bytes, type[Exception], str]] = {
    "no range": (whole(b"{}", OF_AZURE, 'Etag: "1"\r\n'), ExportUnavailable, "not one of Azure's"),
    "no ETag": (whole(b"{}", OF_AZURE, "Content-Range: bytes 0-1/2\r\n"), ExportChanged, "was replaced"),
    "another ETag": (whole(b"{}", 'Etag: "2"\r\nContent-Range: bytes 0-1/2\r\n'), ExportChanged, "was replaced"),
    "a web page": (whole(b"<html>", "Content-Type: text/html\r\n"), ContainerUnreachable, "a web page"),
    "archived": (
        whole(b"", "x-ms-error-code: BlobArchived\r\n", status="409 Conflict"), ExportUnavailable, "archive tier"
    ),
    "a word of tomorrow": (
        whole(b"", "x-ms-error-code: Tomorrow\r\n", status="409 Conflict"), ExportUnavailable, "409 Tomorrow"
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", READS)
async def test_a_blob_that_is_none_is_told(case: str) -> None:
    answer, kind, says = READS[case]
    export = Export("backup_1.json", "1", 2, datetime.now(UTC))
    async with answering(always(answer)) as container:
        with pytest.raises(kind, match=says):
            async for _ in container.read(export):
                pass


async def test_a_slow_link_that_goes_on_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    content = b"x" * 4000
    monkeypatch.setattr(azure_transport, "SLOWEST", 500)

    async def script(request: str) -> AsyncIterator[bytes]:
        head = f'Content-Length: 4000\r\nEtag: "1"\r\nContent-Range: bytes 0-3999/4000\r\n{OF_AZURE}'
        yield f"HTTP/1.1 206 Partial Content\r\n{head}\r\n".encode()
        for start in range(0, 4000, 200):
            yield content[start : start + 200]
            await asyncio.sleep(SILENCE / 8)

    async with answering(script) as container:
        pieces = [piece async for piece in container.read(Export("backup_1.json", "1", 4000, datetime.now(UTC)))]
    assert b"".join(pieces) == content


async def what_a_listing_says(url: str) -> str:
    async with open_container(Settings(container=url, sas="sp=rl&sig=x", retries=0, timeout=2)) as container:
        with pytest.raises(ContainerUnreachable) as caught:
            async for _ in container.pages():
                pass
    return caught.value.line


@pytest.fixture
def certificate(tmp_path: Path) -> ssl.SSLContext:
    """One that nobody trusts."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "other")])
    began, ends = datetime(2025, 1, 1, tzinfo=UTC), datetime(2045, 1, 1, tzinfo=UTC)
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, began, ends).sign(key, SHA256())
    path = tmp_path / "certificate.pem"
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(made.public_bytes(Encoding.PEM) + private)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context


@asynccontextmanager
async def refusing_proxy(context: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """The port of a proxy that wants a password; to whoever takes it for a server, it is one without TLS."""

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            await reader.read(1)
            writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
            await writer.drain()
        writer.close()

    async with await asyncio.start_server(refuse, "127.0.0.1", 0, ssl=context) as server:
        yield server.sockets[0].getsockname()[1]


async def test_a_certificate_that_is_not_trusted_is_told(certificate: ssl.SSLContext) -> None:
    async with refusing_proxy(certificate) as number:
        line = await what_a_listing_says(f"https://127.0.0.1:{number}/account/exports")
    assert "the certificate of 127.0.0.1 is not trusted (TLS: self-signed certificate)" in line


async def test_a_port_without_tls_is_told() -> None:
    async with refusing_proxy() as number:
        line = await what_a_listing_says(f"https://127.0.0.1:{number}/account/exports")
    assert f"127.0.0.1:{number} does not speak TLS as it should" in line and "http://" in line


@pytest.mark.parametrize(("proxy", "says"), [
    ("127.0.0.1:9", "the proxy 127.0.0.1:9 cannot be reached (Connection refused)"),
    ("nowhere.invalid:9", "the name nowhere.invalid cannot be resolved"),
    ("", "the proxy refused to go on to the server (it answered 407)"),
])  # fmt: skip
async def test_a_proxy_that_does_not_help_is_told(proxy: str, says: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with refusing_proxy() as number:
        monkeypatch.setenv("HTTPS_PROXY", f"http://{proxy or f'127.0.0.1:{number}'}")
        line = await what_a_listing_says("https://account.blob.core.windows.net/exports")
    assert says in line and "HTTPS_PROXY" in line


@pytest.mark.parametrize(("url", "says"), [
    ("https://nowhere.invalid/exports", "the name nowhere.invalid cannot be resolved (DNS: "),
    ("http://127.0.0.1:9/account/exports", "127.0.0.1:9 refused the connection"),
])  # fmt: skip
async def test_a_server_that_is_not_there_is_told(url: str, says: str) -> None:
    assert says in await what_a_listing_says(url)


async def test_who_waits_is_told_what_for(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(azure_retry, "PATIENCE", SILENCE / 4)

    async def silent(request: str) -> AsyncIterator[bytes]:
        await asyncio.Event().wait()
        yield b""

    with caplog.at_level("INFO"):
        async with answering(silent, retries=1, pause=0.01) as container:
            with pytest.raises(ContainerUnreachable, match="silent or all too slow"):
                async for _ in container.pages():
                    pass
    told = [record.getMessage() for record in caplog.records if hasattr(record, "waits_for")]
    assert [line.partition(" in ")[0] for line in told] == [
        "waiting for 127.0.0.1 to answer",
        "the container's server is asked again",
        "waiting for 127.0.0.1 to answer",
    ]
