"""How often, and when, a request to Azure is sent again."""

from __future__ import annotations

import asyncio
import logging
import random
from contextlib import suppress
from functools import partial
from typing import Any, cast
from urllib.parse import urlsplit

from azure.core.exceptions import AzureError, ClientAuthenticationError
from azure.storage.blob.aio import ExponentialRetry

from aetl.config import Settings
from aetl.container.azure_network import what_broke

_LOG = logging.getLogger(__name__)
PATIENCE = 3.0
"""Seconds after which somebody who watches wants to know what is waited for."""
_TOO_SOON = (408, 429)
_NEVER = (501, 505)
"""Not implemented, and another version of HTTP: the next answer will be the same."""


class Retry(ExponentialRetry):
    """Sends a request again as often as the settings say, after ever longer pauses.

    The client's own policy stops after three however many it is given, takes 429 for an answer, and does not heed
    Retry-After.
    """

    def __init__(self, settings: Settings) -> None:
        retries = settings.retries
        super().__init__(retry_total=retries, retry_connect=retries, retry_read=retries, retry_status=retries)
        self._retries = retries
        self._first_pause = settings.pause
        self._longest = settings.timeout

    async def send(self, request: Any) -> Any:  # type: ignore[override] # as the client does it itself
        state, following = self.configure_retries(request), cast(Any, self.next)
        while True:
            response: Any = None
            failure: AzureError | None = None
            waiting = self._patience(request.http_request)
            try:
                response = await following.send(request)
                status = response.http_response.status_code
                if status not in _TOO_SOON and (status < 500 or status in _NEVER):
                    break
                reason = f"it answered {status}"
            except ClientAuthenticationError:
                raise
            except AzureError as error:
                failure, reason = error, what_broke(error).message
            finally:
                waiting.cancel()
            answer = response.http_response if response else None
            if not self.increment(state, request=request.http_request, response=answer, error=failure):
                if failure is not None:
                    raise failure
                break
            pause = max(self._pause(state["count"]), self._asked_for(answer))
            count = f"{state['count']} of {self._retries}"
            told = ("the container's server is asked again in %.1f s (%s): %s", pause, count, reason)
            _LOG.info(*told, extra={"waits_for": "a retry"})
            await request.context.transport.sleep(pause)
        response.http_response.location_mode = state["mode"]
        return response

    def _patience(self, request: Any) -> asyncio.Handle:
        """Says after some seconds what is waited for; an upload takes its time, and shows how it goes on."""
        seconds = PATIENCE if request.method in ("GET", "HEAD") else self._longest
        host = urlsplit(request.url).hostname
        tell = partial(_LOG.info, "waiting for %s to answer", host, extra={"waits_for": "an answer"})
        return asyncio.get_running_loop().call_later(seconds, tell)

    def _pause(self, count: int) -> float:
        """Doubled each time, and of a random length: many that failed at once must not come back at once."""
        return float(self._first_pause * 2 ** (count - 1) * random.uniform(0.5, 1))

    def _asked_for(self, answer: Any) -> float:
        """The seconds that the server wants to be left alone, as far as one would wait for its answer, too."""
        with suppress(AttributeError, TypeError, ValueError):
            return min(float(answer.headers["Retry-After"]), self._longest)
        return 0.0
