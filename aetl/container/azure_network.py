"""Says what broke between this machine and the container's server."""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Iterator
from typing import NamedTuple

import aiohttp

_ADDRESS = "Check the address, and this machine's network; the next run starts again from where this one began."
_PROXY = "Check the variables HTTPS_PROXY, HTTP_PROXY and NO_PROXY."


class Broken(NamedTuple):
    """What broke, and what to do about it."""

    message: str
    hint: str


def what_broke(error: BaseException) -> Broken:
    """What the innermost known reason of a failed request says. The library's own words may hold a URL, and its SAS."""
    for reason in _reasons(error):
        if found := _known(reason):
            return found
    return Broken(f"the server gave no answer ({type(error).__name__})", _ADDRESS)


def _reasons(error: BaseException | None) -> Iterator[BaseException]:
    """An error and what it came of, the outermost first."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = getattr(error, "inner_exception", None) or error.__cause__ or error.__context__


def _known(reason: BaseException) -> Broken | None:
    host, port = getattr(reason, "host", "the server"), getattr(reason, "port", "")
    words = _words(getattr(reason, "certificate_error", None) or getattr(reason, "os_error", None) or reason)
    if isinstance(reason, aiohttp.ClientProxyConnectionError):
        return Broken(f"the proxy {host}:{port} cannot be reached ({words})", _PROXY)
    if isinstance(reason, aiohttp.ClientHttpProxyError):
        status = getattr(reason, "status", "something else")
        return Broken(f"the proxy refused to go on to the server (it answered {status})", _PROXY)
    if isinstance(reason, aiohttp.ClientConnectorDNSError):
        return Broken(
            f"the name {host} cannot be resolved (DNS: {words})",
            "Check the name (the account's in the URL, or a proxy's in HTTPS_PROXY), and this machine's DNS.",
        )
    if isinstance(reason, aiohttp.ClientConnectorCertificateError):
        return Broken(
            f"the certificate of {host} is not trusted (TLS: {words})",
            "Check the address and this machine's clock; where a proxy of your own opens TLS, name its certificate in"
            " SSL_CERT_FILE.",
        )
    if isinstance(reason, aiohttp.ClientSSLError):
        return Broken(
            f"{host}:{port} does not speak TLS as it should ({words})",
            "Check the port, and whether the URL must begin with http:// instead, as an emulator's often does.",
        )
    if isinstance(reason, aiohttp.ClientConnectorError):
        if isinstance(getattr(reason, "os_error", None), ConnectionRefusedError):
            return Broken(f"{host}:{port} refused the connection: nothing listens there", _ADDRESS)
        return Broken(f"{host}:{port} cannot be reached ({words})", _ADDRESS)
    if isinstance(reason, aiohttp.ConnectionTimeoutError):
        return Broken("the server cannot be reached: no connection in time", _ADDRESS)
    if isinstance(reason, TimeoutError):
        return Broken("the server was silent or all too slow", _ADDRESS)
    return None


def _words(error: BaseException) -> str:
    """The reason in a few words of the system's own, which hold no URL."""
    if isinstance(error, ssl.SSLError):
        words = getattr(error, "verify_message", None) or getattr(error, "reason", None) or "no reason given"
        return str(words).rstrip(".").lower().replace("_", " ")
    if isinstance(error, OSError) and not isinstance(error, socket.gaierror) and error.errno:
        return os.strerror(error.errno)  # asyncio's own words name the address once more
    return str(getattr(error, "strerror", None) or type(error).__name__)
