"""Who but an administrator may change what will run as SYSTEM, by the security descriptors of its files.

A descriptor is read as Windows writes it in the language SDDL, in which accounts go by codes or SIDs and never by names
that differ from one language of Windows to the next (https://learn.microsoft.com/windows/win32/secauthz/security-descriptor-string-format).
"""

from __future__ import annotations

import os
import re
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

# Administrators, SYSTEM, TrustedInstaller; the account Administrator and a domain's administrators; whoever owns it.
_TRUSTED = {"BA", "SY", "S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464", "LA", "DA", "EA", "CO", "OW"}
_NAMES = {"WD": "Everyone", "AU": "Authenticated Users", "BU": "Users", "IU": "Interactive", "AN": "Anonymous Logon"}
_CODES = {
    "GA": 0x10000000, "GW": 0x40000000, "FA": 0x1F01FF, "FW": 0x120116, "SD": 0x10000, "WD": 0x40000, "WO": 0x80000,
    "CC": 0x1, "DC": 0x2, "LC": 0x4, "SW": 0x8, "RP": 0x10, "WP": 0x20, "DT": 0x40, "LO": 0x80, "CR": 0x100,
}  # fmt: skip
_DELETE = 0x10000
REPLACE = 0x10000000 | _DELETE | 0x40000 | 0x80000 | 0x40
"""Rights by which a folder or what lies in it is renamed or removed, or more rights are taken: GA, SD, WD, WO, DT."""
WRITE = REPLACE | 0x40000000 | 0x2 | 0x4
"""These, and the rights to write and to add: GW, write data or add file, append or add folder."""
_ACE = re.compile(r"\(([A-Z]+);([A-Z]*);([^;()]*);[^;()]*;[^;()]*;([^;()]+)")
_OWNER_AND_DACL = 1 | 4


def who_may(mask: int, descriptor: str, me: str = "", *, of_what_is_made_there: bool = False) -> str | None:
    """The name or SID of one who has any of these rights and is no administrator, or None.

    `me` is trusted as an administrator is. An owner can give all rights to himself. An entry that only what is made
    in a folder inherits counts where that is asked for.
    """
    owner: re.Match[str] | None = re.match(r"O:(S-[\d-]+|[A-Z]{2})", descriptor)
    dacl = descriptor.partition("D:")[2]
    if owner is None or not dacl or dacl.startswith("NO_ACCESS_CONTROL"):
        return _NAMES["WD"]  # as on a disk that keeps no rights
    trusted = {*_TRUSTED, me}
    if owner[1] not in trusted:
        return _NAMES.get(owner[1], owner[1])
    entries: list[tuple[str, str, str, str]] = _ACE.findall(dacl)
    for kind, flags, rights, account in entries:
        inherited_only = "IO" in re.findall("..", flags)
        if kind not in ("A", "XA") or account in trusted or (inherited_only and not of_what_is_made_there):
            continue
        if _mask(rights) & mask:
            return _NAMES.get(account, account)
    return None


def of_python(folder: Path) -> str | None:
    """What speaks against a Python for SYSTEM's job: that it is somebody's own, or that others may change it."""
    users = Path(os.environ.get("PUBLIC", r"C:\Users\Public")).parent
    if folder.is_relative_to(users):
        return f"{folder} lies in somebody's own folder"
    return next(_of_tree(folder, [folder, *_below(folder), *_below(folder / "Lib")]), None)


def of_folder(folder: Path) -> str | None:
    """What speaks against a folder for SYSTEM's job: that somebody else owns it or may replace it, or it is a link."""
    if is_link(folder):
        return f"{folder} is a link"
    me = _me()
    if (other := who_may(0, _descriptor(folder), me)) is not None:
        return f"{folder} belongs to {other}"
    return _of_parents(folder)


def of_content(folder: Path) -> str | None:
    """What speaks against what a folder holds: an owner other than an administrator, or a link to elsewhere."""
    me = _me()
    for path in _all_below(folder):
        if is_link(path):
            return f"{path} is a link"
        if (other := who_may(0, _descriptor(path), me)) is not None:
            return f"{path} belongs to {other}"
    return None


def is_link(path: Path) -> bool:
    """Whether it is a symbolic link, a junction or another reparse point, which lead elsewhere."""
    found = path.lstat()
    return stat.S_ISLNK(found.st_mode) or bool(
        getattr(found, "st_file_attributes", 0) & stat.FILE_ATTRIBUTE_REPARSE_POINT
    )


def _of_tree(folder: Path, paths: list[Path]) -> Iterator[str]:
    me = _me()
    for path in paths:
        if (other := who_may(WRITE, _descriptor(path), me, of_what_is_made_there=path.is_dir())) is not None:
            yield f"{other} may change {path}"
    if (reason := _of_parents(folder)) is not None:
        yield reason


def _of_parents(folder: Path) -> str | None:
    me = _me()
    for parent in folder.parents:
        mask = REPLACE if parent.name else REPLACE & ~_DELETE  # nobody renames or removes a drive
        if (other := who_may(mask, _descriptor(parent), me)) is not None:
            return f"{other} may replace what lies in {parent}"
    return None


def _below(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


def _all_below(folder: Path) -> Iterator[Path]:
    for path in _below(folder):
        yield path
        if path.is_dir() and not is_link(path):
            yield from _all_below(path)


def _mask(rights: str) -> int:
    if re.fullmatch(r"0x[0-9a-fA-F]+|\d+", rights):
        return int(rights, 0)
    mask = 0
    for code in re.findall("..", rights):
        mask |= _CODES.get(code, 0)
    return mask


def _descriptor(path: Path) -> str:
    """The owner and the access control list of a file or folder, in SDDL; raises OSError."""
    if sys.platform != "win32":
        raise OSError("only Windows keeps security descriptors")
    import ctypes

    advapi, kernel = ctypes.WinDLL("advapi32"), ctypes.WinDLL("kernel32")
    kernel.LocalFree.argtypes = [ctypes.c_void_p]
    found, text = ctypes.c_void_p(), ctypes.c_wchar_p()
    of_a_file = 1
    code = advapi.GetNamedSecurityInfoW(
        ctypes.c_wchar_p(str(path)), of_a_file, _OWNER_AND_DACL, None, None, None, None, ctypes.byref(found)
    )
    if code:
        raise ctypes.WinError(code)
    try:
        if not advapi.ConvertSecurityDescriptorToStringSecurityDescriptorW(
            found, 1, _OWNER_AND_DACL, ctypes.byref(text), None
        ):
            raise ctypes.WinError()
        return text.value or ""
    finally:
        kernel.LocalFree(found)
        kernel.LocalFree(ctypes.cast(text, ctypes.c_void_p))


def _me() -> str:
    """The SID of this process's account; raises OSError."""
    if sys.platform != "win32":
        raise OSError("only Windows has SIDs")
    import ctypes
    from ctypes import wintypes

    advapi, kernel = ctypes.WinDLL("advapi32"), ctypes.WinDLL("kernel32")
    kernel.GetCurrentProcess.restype = wintypes.HANDLE
    kernel.LocalFree.argtypes = [ctypes.c_void_p]
    kernel.CloseHandle.argtypes = [wintypes.HANDLE]
    advapi.OpenProcessToken.argtypes = [wintypes.HANDLE, wintypes.DWORD, ctypes.POINTER(wintypes.HANDLE)]
    token, size, text = wintypes.HANDLE(), wintypes.DWORD(), ctypes.c_wchar_p()
    query, user = 8, 1
    if not advapi.OpenProcessToken(kernel.GetCurrentProcess(), query, ctypes.byref(token)):
        raise ctypes.WinError()
    try:
        advapi.GetTokenInformation(token, user, None, 0, ctypes.byref(size))
        buffer = ctypes.create_string_buffer(size.value)
        if not advapi.GetTokenInformation(token, user, buffer, size, ctypes.byref(size)):
            raise ctypes.WinError()
        sid = ctypes.cast(buffer, ctypes.POINTER(ctypes.c_void_p)).contents
        if not advapi.ConvertSidToStringSidW(sid, ctypes.byref(text)):
            raise ctypes.WinError()
        account = text.value or ""
        kernel.LocalFree(ctypes.cast(text, ctypes.c_void_p))
        return account
    finally:
        kernel.CloseHandle(token)
