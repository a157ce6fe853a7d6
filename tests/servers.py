"""What Azurite and PostgreSQL have in common: that there may be none here."""

from __future__ import annotations


class ServerUnavailable(Exception):
    """Why a server that tests need cannot be had. The first one ends the session, as all others would end so, too."""
