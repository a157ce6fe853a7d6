"""Writes the smallest DLL that hands one function on to another DLL.

Rust's standard library asks bcryptprimitives.dll for ProcessPrng, which wine 8 lacks; advapi32's SystemFunction036
(RtlGenRandom) does the same with the same arguments. The layout is that of Microsoft's page "PE Format": a header, one
section, and in it an export directory whose only address points at the name of another function.
"""

from __future__ import annotations

import struct

_ALIGNMENT = 0x200
_SECTION = 0x1000
_IMAGE_BASE = 0x180000000
_AMD64 = 0x8664


def forwarding_dll(dll: str, function: str, target: str) -> bytes:
    """A DLL for 64-bit Windows that exports `function` as `target`, which is written as `library.function`."""
    section = _exports(dll, function, target)
    padded = section + bytes(-len(section) % _ALIGNMENT)
    headers = b"MZ" + bytes(58) + struct.pack("<I", 64)
    headers += b"PE\0\0" + struct.pack("<HHIIIHH", _AMD64, 1, 0, 0, 0, 240, 0x2022)
    headers += struct.pack("<HBBIIIII", 0x20B, 14, 0, 0, len(padded), 0, 0, _SECTION)
    headers += struct.pack("<QIIHHHHHHIIIIHH", _IMAGE_BASE, 0x1000, _ALIGNMENT, 6, 0, 0, 0, 6, 0, 0,
                           2 * _SECTION, _ALIGNMENT, 0, 3, 0x160)  # fmt: skip
    headers += struct.pack("<QQQQII", 0x100000, 0x1000, 0x100000, 0x1000, 0, 16)
    headers += struct.pack("<II", _SECTION, len(section)) + bytes(15 * 8)
    headers += struct.pack("<8sIIIIIIHHI", b".rdata", len(section), _SECTION, len(padded), _ALIGNMENT, 0, 0, 0, 0,
                           0x40000040)  # fmt: skip
    return headers.ljust(_ALIGNMENT, b"\0") + padded


def _exports(dll: str, function: str, target: str) -> bytes:
    """The export directory, its three tables of one entry each, and the three names."""
    tables = _SECTION + 40
    names = tables + 10
    dll_at, function_at = names, names + len(dll) + 1
    target_at = function_at + len(function) + 1
    directory = struct.pack("<IIHHIIIIIII", 0, 0, 0, 0, dll_at, 1, 1, 1, tables, tables + 4, tables + 8)
    entries = struct.pack("<IIH", target_at, function_at, 0)
    return directory + entries + b"".join(name.encode("ascii") + b"\0" for name in (dll, function, target))
