"""A TCP proxy before Azurite that breaks what it is told to break; of HTTP it knows enough to find a blob's GETs."""

from __future__ import annotations

import asyncio
import re
import socket
import struct
import threading
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import urlsplit

ANSWERS = {403: "Forbidden", 429: "Too Many Requests", 500: "Internal Server Error", 503: "Server Busy"}


@dataclass(frozen=True)
class Fault:
    """What happens to a GET of a blob.

    `kind` is "silence", "reset", "cut" or "stall" (after so many bytes of the body), "longer", "shorter" or "garbage"
    (more than said behind it), "flip" (a bit, after so many bytes), "answer" (with a status), "refuse" (this and all to
    come), or "swap" (`then` is called before it goes on to the server).
    """

    kind: str
    after: int = 0
    status: int = 503
    headers: Mapping[str, str] = field(default_factory=dict)
    then: Callable[[], object] = lambda: None


Plan = Callable[[int, int], Fault | None]
"""The number of a GET, from 1, and the offset of its range -> what happens to it."""


@dataclass(frozen=True)
class Message:
    """The head of a request or of an answer, and its body."""

    head: bytes
    body: bytes

    def header(self, name: str) -> str | None:
        found = re.search(rb"(?im)^" + name.encode() + rb":[ \t]*(.*?)\r?$", self.head)
        return found[1].decode() if found else None


class Proxy:
    """Listens on a port of its own and hands on to `server`; counts what it sends of blobs."""

    def __init__(self, server: str) -> None:
        self._server = urlsplit(server)
        self.plan: Plan = lambda number, offset: None
        self.fails_at: Mapping[str, Fault] = {}
        """What happens to every GET of a blob of that name."""
        self.offsets: list[int] = []
        """Of the ranges that were asked for, in that order."""
        self.sent = 0
        """Bytes of blobs' bodies."""
        self._loop = asyncio.new_event_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._listener: asyncio.Server | None = None
        self._port = 0

    def url(self, url: str) -> str:
        """The same URL by way of the proxy."""
        parts = urlsplit(url)
        user, at, _ = parts.netloc.rpartition("@")
        return parts._replace(netloc=f"{user}{at}127.0.0.1:{self._port}").geturl()

    def open(self) -> None:
        self._run(self._listen())

    def close(self) -> None:
        """From now on every connection is refused."""
        self._run(self._stop_listening())

    @contextmanager
    def running(self) -> Iterator[Self]:
        thread = threading.Thread(target=self._loop.run_forever)
        thread.start()
        try:
            self.open()
            yield self
        finally:
            self._run(self._end())
            self._loop.call_soon_threadsafe(self._loop.stop)
            thread.join()
            self._loop.close()

    def _run(self, coroutine: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(30)

    async def _listen(self) -> None:
        self._listener = await asyncio.start_server(self._accept, "127.0.0.1", self._port)
        self._port = self._listener.sockets[0].getsockname()[1]

    async def _stop_listening(self) -> None:
        if self._listener is not None:
            self._listener.close()
            self._listener = None

    async def _end(self) -> None:
        await self._stop_listening()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with suppress(OSError, asyncio.IncompleteReadError):
                while await self._handle(await read_message(reader), reader, writer):
                    pass
        finally:
            writer.close()

    async def _handle(self, request: Message, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Whether the connection goes on."""
        offset = offset_of(request)
        fault: Fault | None = None
        if offset is not None:
            self.offsets.append(offset)
            fault = self.fails_at.get(name_of(request)) or self.plan(len(self.offsets), offset)
        if fault is None:
            return await self._send(await self._ask(request), writer, is_blob=offset is not None)
        if fault.kind == "swap":
            await asyncio.to_thread(fault.then)
            return await self._send(await self._ask(request), writer, is_blob=True)
        if fault.kind == "answer":
            lines = [f"HTTP/1.1 {fault.status} {ANSWERS[fault.status]}", "Content-Length: 0"]
            lines += [f"{name}: {value}" for name, value in fault.headers.items()]
            return await self._send(Message("\r\n".join([*lines, "", ""]).encode(), b""), writer)
        if fault.kind == "silence":
            await reader.read()  # until the other side has had enough
            return False
        if fault.kind == "refuse":
            await self._stop_listening()
            reset(writer)
            return False
        return await self._spoil(fault, await self._ask(request), reader, writer)

    async def _spoil(
        self, fault: Fault, answer: Message, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        if fault.kind in ("longer", "shorter"):
            body = answer.body + b" " * 10 if fault.kind == "longer" else answer.body[:-10]
            length = b"Content-Length: %d" % len(body)
            return await self._send(
                Message(re.sub(rb"(?i)content-length: *\d+", length, answer.head), body), writer, is_blob=True
            )
        if fault.kind == "flip":
            flipped = bytearray(answer.body)
            flipped[min(fault.after, len(flipped) - 1)] ^= 1
            return await self._send(Message(answer.head, bytes(flipped)), writer, is_blob=True)
        if fault.kind == "garbage":
            return await self._send(Message(answer.head, answer.body + b" " * 10), writer, is_blob=True)
        await self._send(Message(answer.head, answer.body[: fault.after]), writer, is_blob=True)
        if fault.kind == "stall":
            await reader.read()  # until the other side has had enough
        elif fault.kind == "reset":
            reset(writer)
        return False

    async def _send(self, answer: Message, writer: asyncio.StreamWriter, *, is_blob: bool = False) -> bool:
        writer.write(answer.head)
        for start in range(0, len(answer.body), 65536):
            writer.write(answer.body[start : start + 65536])
            await writer.drain()
            self.sent += len(answer.body[start : start + 65536]) * is_blob
        await writer.drain()
        return True

    async def _ask(self, request: Message) -> Message:
        reader, writer = await asyncio.open_connection(self._server.hostname, self._server.port, limit=2**20)
        try:
            head = re.sub(rb"(?im)^connection:.*\r\n", b"", request.head)
            writer.write(head[:-2] + b"Connection: close\r\n\r\n" + request.body)
            await writer.drain()
            answer = await read_message(reader, is_bodiless=head.startswith(b"HEAD"))
            return Message(re.sub(rb"(?im)^(connection|keep-alive):.*\r\n", b"", answer.head), answer.body)
        finally:
            writer.close()


def offset_of(request: Message) -> int | None:
    """Where the range begins that is asked for, or None where no blob is."""
    found = re.match(r"GET (\S+)", request.head.decode("latin-1"))
    if found is None or "comp=" in found[1] or urlsplit(found[1]).path.count("/") < 3:
        return None
    ranges = re.search(r"bytes=(\d+)", request.header("x-ms-range") or request.header("range") or "")
    return int(ranges[1]) if ranges else 0


def name_of(request: Message) -> str:
    """The last part of the path that is asked for."""
    return urlsplit(request.head.split()[1].decode()).path.rpartition("/")[2]


async def read_message(reader: asyncio.StreamReader, *, is_bodiless: bool = False) -> Message:
    """A request or an answer, whole. One that comes in chunks is told with its length instead."""
    head = await reader.readuntil(b"\r\n\r\n")
    found = Message(head, b"")
    if is_bodiless:
        return found
    if (found.header("transfer-encoding") or "").lower() == "chunked":
        body = b""
        while size := int(await reader.readuntil(b"\r\n"), 16):
            body += (await reader.readexactly(size + 2))[:-2]
        await reader.readuntil(b"\r\n")
        head = re.sub(rb"(?im)^transfer-encoding:.*\r\n", b"Content-Length: %d\r\n" % len(body), head)
        return Message(head, body)
    return Message(head, await reader.readexactly(int(found.header("content-length") or 0)))


def reset(writer: asyncio.StreamWriter) -> None:
    """Ends a connection without a farewell."""
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
