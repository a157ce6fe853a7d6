"""Compressed exports that are damaged, or are something else."""

from __future__ import annotations

import bz2
import gzip
import lzma
import zlib
from collections.abc import Iterator

from tests.hostile.cases import WHOLE, Case

PACKED = gzip.compress(WHOLE, mtime=0)


def cases() -> Iterator[Case]:
    yield from _cut_short()
    yield from _something_else()
    yield from _members()
    yield from _behind()
    yield from _damaged()


def _cut_short() -> Iterator[Case]:
    yield Case("gzip cut off after 0", b"", "byte 0: the export is empty", ".gz")
    yield Case("gzip cut off after 1", PACKED[:1], "byte 0: ", ".gz")
    for length in (2, 5, 10, 11, len(PACKED) // 2, len(PACKED) - 8, len(PACKED) - 4, len(PACKED) - 1):
        says = f"the gzip stream ends too early, after {length} bytes as stored"
        yield Case(f"gzip cut off after {length}", PACKED[:length], says, ".gz")


def _something_else() -> Iterator[Case]:
    yield Case("not gzip: white space", b" " * 1000, "byte 1000: the export is empty", ".gz")
    yield Case("not gzip: JSON", WHOLE, None, ".gz")
    says = "byte 0: "
    for name, data in (
        ("zlib", zlib.compress(WHOLE)),
        ("bzip2", bz2.compress(WHOLE)),
        ("xz", lzma.compress(WHOLE)),
        ("zip", b"PK\3\4" + PACKED),
        ("zstd", b"\x28\xb5\x2f\xfd" + WHOLE),
        ("zeros", bytes(1000)),
    ):
        yield Case(f"not gzip: {name}", data, says, ".gz")
    says = "its gzip is damaged, somewhere behind byte 0 as stored ("
    yield Case("an unknown method", PACKED[:2] + b"\7" + PACKED[3:], says + "unknown compression method)", ".gz")
    yield Case("unknown flags", PACKED[:3] + b"\xff" + PACKED[4:], says + "unknown header flags", ".gz")
    yield Case("gzip in gzip", gzip.compress(PACKED), r"byte 0: the export must be in UTF-8", ".gz")
    yield Case("gzip under a plain name", PACKED, None)
    yield Case("gzip of nothing", gzip.compress(b""), "byte 0: the export is empty", ".gz")
    cut = gzip.compress(WHOLE[:-1])
    yield Case("gzip of half a document", cut, f"byte {len(WHOLE) - 1}: ',' or '}}' was expected", ".gz")


def _members() -> Iterator[Case]:
    third = len(WHOLE) // 3
    parts = [WHOLE[:third], WHOLE[third : 2 * third], WHOLE[2 * third :]]
    for name, pieces in (
        ("three", parts),
        ("as many as bytes", [bytes([each]) for each in WHOLE]),
        ("empty ones between", [b"", parts[0], b"", b"", WHOLE[third:], b""]),
    ):
        yield Case(f"members: {name}", b"".join(map(gzip.compress, pieces)), None, ".gz")
    yield Case("members, and zeros behind", b"".join(map(gzip.compress, parts)) + bytes(5000), None, ".gz")
    yield Case("members, and zeros between", bytes(9).join(map(gzip.compress, parts)), None, ".gz")
    half = gzip.compress(parts[0]) + gzip.compress(WHOLE[third:])[:-9]
    yield Case("the second member cut off", half, f"the gzip stream ends too early, after {len(half)} bytes", ".gz")
    for name, cut in (("in its header", 3), ("in its trailer", -2)):
        data = PACKED + gzip.compress(b"")[:cut]
        says = f"the gzip stream ends too early, after {len(data)} bytes as stored"
        yield Case(f"an empty member cut off {name}", data, says, ".gz")
    says = f"byte {len(WHOLE)}: something follows the document's end"
    yield Case("a document in each member", PACKED * 2, says, ".gz")
    says = f"there is something else behind byte {len(PACKED)} as stored, where a gzip member ends"
    yield Case("members of which one is zlib", PACKED + zlib.compress(b" "), says, ".gz")


def _behind() -> Iterator[Case]:
    for name, garbage in (
        ("text", b"garbage"),
        ("JSON", WHOLE),
        ("zeros and text", bytes(10) + b"xy"),
        ("0x1f and something else", b"\x1f\0"),
    ):
        begin = len(PACKED) + len(garbage) - len(garbage.lstrip(b"\0"))
        says = f"there is something else behind byte {begin} as stored, where a gzip member ends"
        yield Case(f"garbage behind: {name}", PACKED + garbage, says, ".gz")

    length = len(PACKED) + 1
    says = (
        f"the gzip stream ends too early, after {length} bytes as stored, or something else is behind byte {length - 1}"
    )
    yield Case("garbage behind: a line feed", PACKED + b"\n", says, ".gz")


def _damaged() -> Iterator[Case]:
    for name, data, found in (
        ("its checksum", PACKED[:-8] + b"\0\0\0\0" + PACKED[-4:], "its checksum is wrong). "),
        ("its length", PACKED[:-4] + b"\0\0\0\0", "its length is wrong). "),
        ("its first block", PACKED[:10] + b"\xff" + PACKED[11:], "invalid block type). "),
    ):
        says = f"its gzip is damaged, somewhere behind byte 0 as stored ({found}The file is damaged or was not written"
        yield Case(f"gzip with damage in {name}", data, says, ".gz")
