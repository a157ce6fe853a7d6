"""Reads a SAS: until when it is valid and what it allows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import parse_qs


@dataclass(frozen=True, slots=True)
class SAS:
    """What a SAS says of itself; None where it does not say.

    The parameters' names are from Microsoft's pages "Create a service SAS" and "Create an account SAS".
    """

    is_signed: bool
    start: datetime | None
    expiry: datetime | None
    permissions: frozenset[str] | None
    scope: str | None
    """What it is for, in words."""


_SCOPES = {"c": "a container", "d": "a directory", "b": "one blob", "bs": "one blob", "bv": "one blob"}


def read_sas(token: str) -> SAS:
    """What a SAS token says; never fails, as only the server judges."""
    values = {name: found[-1] for name, found in parse_qs(token.removeprefix("?")).items()}
    permissions = values.get("sp")
    return SAS(
        is_signed=bool(values.get("sig")),
        start=_moment(values.get("st")),
        expiry=_moment(values.get("se")),
        permissions=frozenset(permissions) if permissions else None,
        scope=_SCOPES.get(values.get("sr", "")),
    )


def _moment(text: str | None) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
