"""Lets the event loop of the rig's Python, whose sitecustomize this is, look for itself every tenth of a second.

wine 8.0 now and then loses the completion of a receive on the socket pair by which other threads wake a
ProactorEventLoop, which then waits for ever: forty lines of asyncio without aetl show it within some thousand calls of
asyncio.to_thread while the machine is busy, and never with a SelectorEventLoop. Windows has no such defect.
"""

import sys

if sys.platform == "win32":
    from asyncio.windows_events import IocpProactor

    _poll = IocpProactor._poll

    def _poll_briefly(self: IocpProactor, timeout: float | None = None) -> None:
        return _poll(self, 0.1 if timeout is None else min(timeout, 0.1))

    IocpProactor._poll = _poll_briefly
