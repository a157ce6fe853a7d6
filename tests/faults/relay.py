"""A TCP proxy before PostgreSQL that breaks the connection after so many bytes."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from tests.faults.proxy import Proxy, reset


class Relay(Proxy):
    """Hands on to `server` what comes, and resets the connection after so many bytes of the client's."""

    def __init__(self, server: str, most: int | None = None) -> None:
        super().__init__(server)
        self.most = most
        self.received = 0

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answers, requests = await asyncio.open_connection(self._server.hostname, self._server.port)
        back = asyncio.ensure_future(_pump(answers, writer))
        try:
            with suppress(OSError):
                while data := await reader.read(65536):
                    self.received += len(data)
                    if self.most is not None and self.received > self.most:
                        reset(writer)
                        reset(requests)
                        return
                    requests.write(data)
                    await requests.drain()
        finally:
            back.cancel()
            requests.close()
            writer.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.close()
