"""The HTTP below the Azure client, with bounds: no answer goes on for ever, and none is taken that is not Azure's."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
from azure.core.pipeline.transport import AioHttpTransport

from aetl.errors import ContainerUnreachable

SLOWEST = 1_000
"""Bytes a second, over the seconds that a server may be silent; a modem of 1998 brings each of two ranges more."""
LONGEST_PAGE = 64 * 2**20
"""Bytes of one page of a listing: more than 5,000 blobs with the longest names and the most metadata come to."""
SECONDS_TO_CONNECT = 20
_HINT = "Check the address, and whether this network wants a login or a proxy before it lets anything through."


class Answer(aiohttp.ClientResponse):
    """An answer that must begin and go on: a server that sends a byte now and then is as good as a silent one."""

    silence = 30.0

    async def start(self, connection: Any) -> aiohttp.ClientResponse:
        # How long an upload takes before its answer begins is the network's business.
        most = self.silence + SECONDS_TO_CONNECT if self.method in ("GET", "HEAD") else None
        async with asyncio.timeout(most):
            await super().start(connection)
        kind = self.headers.get("Content-Type", "")
        if self.status == 200 and "html" in kind and "x-ms-request-id" not in self.headers:
            self.close()
            raise ContainerUnreachable(f"{self.url.host} answered with a web page, not with a blob", hint=_HINT)
        self._watch(0)
        return self

    def _watch(self, before: int) -> None:
        asyncio.get_running_loop().call_later(self.silence, self._look, before)

    def _look(self, before: int) -> None:
        if self.closed or self.content.is_eof():
            return
        if self.content.total_bytes - before < SLOWEST * self.silence:
            self.content.set_exception(aiohttp.SocketTimeoutError("fewer bytes than a second should bring"))
            self.close()
        else:
            self._watch(self.content.total_bytes)

    async def read(self) -> bytes:
        if self._body is None:
            body = bytearray()
            async for piece in self.content.iter_any():
                body += piece
                if len(body) > LONGEST_PAGE:
                    self.close()
                    raise ContainerUnreachable(f"{self.url.host} sends an answer that does not end", hint=_HINT)
            self._body = bytes(body)
        content = await super().read()
        if self.status == 200 and self.url.query.get("comp") == "list" and b"<EnumerationResults" not in content[:500]:
            said = "something else than a list of blobs" if content else "nothing"
            raise ContainerUnreachable(f"{self.url.host} answered with {said}", hint=_HINT)
        return content


class Transport(AioHttpTransport):  # type: ignore[misc] # azure.core makes its name known only at run time
    """Sends requests whose answers are bounded; `silence` is how many seconds a server may say nothing."""

    def __init__(self, silence: float, block_size: int) -> None:
        super().__init__(
            connection_timeout=min(silence, SECONDS_TO_CONNECT),
            read_timeout=silence,
            connection_data_block_size=block_size,
        )
        self._answers = type("Answer", (Answer,), {"silence": silence})

    async def open(self) -> None:
        if not self.session:  # type: ignore[has-type]
            # As the base class makes it, but for its answers.
            self.session = aiohttp.ClientSession(
                trust_env=True,
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                response_class=self._answers,
            )
        await super().open()
