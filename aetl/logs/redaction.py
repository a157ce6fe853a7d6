"""Takes secrets out of text: those that were named, and whatever looks like one."""

from __future__ import annotations

import json
import re
import threading
from urllib.parse import unquote

MASK = "***"
SHORTEST = 6
"""Characters; anything shorter would turn up in innocent text everywhere."""

_LONGEST_WORD = 12
"""Characters; what is longer, or mixes letters with digits, is no word that text holds by chance."""

_EQUALS = r"""(?:=|%(?:25)*3D|["']\s*[:,]\s*b?["'])"""
_PASSWORD = r"""(?:password|passwd|pwd)(?:\s*=\s*|%(?:25)*3D|["']\s*:\s*)"""
# A word begins here: after no letter, unless that letter ends a percent-encoded character, as in %3Fsig%3D.
_BEGIN = r"(?:(?<![A-Za-z])|(?<=%[0-9A-Fa-f]{2})|(?<=%25[0-9A-Fa-f]{2}))"

_BEFORE_A_WORD = r"(?:(?<!\w)|(?<=%[0-9A-Fa-f]{2})|(?<=\\[nrtbf])|(?<=\\x[0-9A-Fa-f]{2})|(?<=\\u[0-9A-Fa-f]{4}))"
"""What was encoded or escaped ends with a letter or a digit, too, as in %3Dpostgres."""

# `kept` stays, `secret` goes.
_LOOKS_SECRET = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"""(?P<kept>SharedAccessSignature{_EQUALS})(?P<secret>[^;\s"'<>]+)""",
        rf"""(?P<kept>(?:AccountKey|SharedAccessKey){_EQUALS})(?P<secret>[^;&\s"'<>]+)""",
        rf"""(?P<kept>{_BEGIN}sig{_EQUALS})(?P<secret>(?:(?!%(?:25)*26)[\w%+/=.~*-])+)""",
        r"""(?P<kept>SharedKey(?:Lite)?\s+[^\s:"']+:)(?P<secret>[\w+/=-]+)""",
        r"""(?P<kept>Authorization["']?\s*[:=]\s*b?["']?(?:Bearer|Basic)\s+)(?P<secret>[^\s"',;]+)""",
        r"""(?P<kept>\b(?:Bearer|Basic)\s+)(?P<secret>[\w.~+/=-]{16,})""",
        rf"""(?P<kept>{_PASSWORD}(?P<quote>["']))(?P<secret>(?:\\.|(?!(?P=quote)).)*)""",
        rf"""(?P<kept>{_PASSWORD})(?P<secret>\{{[^}}\n]{{0,200}}\}}|(?:(?!%(?:25)*(?:26|3B|20))[^\s&;"'])+)""",
    )
)
_WORD = re.compile(r"""[^\s"'<>]+""")
_USER = re.compile(r"[^/?#@:\\]*:(?!\d{1,5}[/?#])")
"""A URL's user behind ://, and the colon before the password; localhost:8080/path is none."""
_DRIVE = re.compile(r"[^A-Za-z]*[A-Za-z]:[\\/]")
"""Where a path of Windows begins."""
_COLON = re.compile(r":(?!\d{1,5}[/?#])")

_lock = threading.Lock()
_hidden: dict[str, str] = {}
_any_hidden: re.Pattern[str] | None = None


def redact(text: str) -> str:
    """Replace every secret in `text` by `***`: a log is read by more people than the secret is for."""
    if _any_hidden is not None:
        text = _any_hidden.sub(MASK, text)
    for pattern in _LOOKS_SECRET:
        text = pattern.sub(rf"\g<kept>{MASK}", text)
    if "@" in text:
        text = _WORD.sub(_without_password, text)
    return text


def _without_password(word: re.Match[str]) -> str:
    """A word without what stands between the user's name and the last @, where it has the shape of a URL or `u:p@h`.

    The password may hold a slash or an @ that should have been encoded.
    """
    head, _, host = word[0].rpartition("@")
    if not host or ":" not in head:
        return word[0]
    found = None
    end = head.find("://")
    if end < 0 and not _DRIVE.match(head):
        found = _COLON.search(head)
    while end >= 0 and found is None:
        following = head.find("://", end + 3)
        found = _USER.match(head, end + 3, following if following >= 0 else len(head))
        end = following
    return word[0] if found is None or found.end() == len(head) else f"{head[: found.end()]}{MASK}@{host}"


def hide(secret: str) -> None:
    """Register a secret, so that `redact` knows it from now on, wherever and however encoded it turns up.

    What looks like a secret within it, such as the signature of a SAS, is registered too. Secrets of less than six
    characters are ignored.
    """
    global _any_hidden
    found = [match["secret"] for pattern in _LOOKS_SECRET for match in pattern.finditer(secret)]
    forms = {form for part in (secret, *found) for form in (part.strip("?\"' \n"), unquote(part.strip("?\"' \n")))}
    with _lock:
        new = {form for form in forms if len(form) >= SHORTEST and form not in _hidden}
        if new:
            _hidden.update({form: _any_form_of(form) for form in new})
            # The longest first: a secret that begins like another one must not leave its end behind.
            _any_hidden = re.compile("|".join(_hidden[form] for form in sorted(_hidden, key=len, reverse=True)))


def _any_form_of(secret: str) -> str:
    """A pattern for a secret; one that may be an ordinary word or number only as the whole of one.

    The password `postgres` must not eat into `postgresql://`, nor `backup` into the names of all exports.
    """
    pattern = "".join(map(_any_form, secret))
    is_word = len(secret) <= _LONGEST_WORD and secret.isascii() and (secret.isalpha() or secret.isdigit())
    return rf"{_BEFORE_A_WORD}{pattern}(?!\w)" if is_word else pattern


def _any_form(character: str) -> str:
    """A pattern for one character of a secret: plain, percent-encoded (repeatedly), or as JSON and repr() escape it."""
    if character.isascii() and (character.isalnum() or character in "-._~"):
        return re.escape(character)
    octets = character.encode("utf-8", "surrogatepass")
    forms = {
        character,
        repr(character)[1:-1],
        ascii(character)[1:-1],
        json.dumps(character)[1:-1],
        # repr() escapes a quote only where the other one occurs as well.
        *({"\\" + character} if character in "'\"" else ()),
        # quote_plus, and whoever decodes what was not encoded.
        *({" ", "+"} if character in " +" else ()),
    }
    encoded = "".join(f"%(?:25)*{octet:02X}" for octet in octets)
    alternatives = sorted(map(re.escape, forms), key=len, reverse=True)
    return f"(?:(?i:{encoded})|{'|'.join(alternatives)})"


class Confidential(str):
    """A text that may hold a secret: it is used as it is, but what is printed of a collection that holds it is not."""

    __slots__ = ()

    def __repr__(self) -> str:
        return repr(redact(str.__str__(self)))
