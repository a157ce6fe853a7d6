"""Gzip as a stream: any cut into chunks gives the same bytes, and what is no gzip is told apart."""

from __future__ import annotations

import gzip
import random
import zlib
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from aetl import compression
from aetl.compression import Gunzip, Gzip, Unpacking
from aetl.errors import ExportMalformed


def unzip(data: bytes, size: int, piece: int = 2**20) -> bytes:
    gunzip = Gunzip(piece)
    pieces = [out for start in range(0, len(data), size) for out in gunzip.feed(data[start : start + size])]
    pieces += gunzip.close()
    assert all(0 < len(out) <= piece for out in pieces)
    return b"".join(pieces)


@given(content=st.binary(max_size=3000), size=st.integers(1, 400), piece=st.integers(1, 500))
def test_any_chunks_give_the_content(content: bytes, size: int, piece: int) -> None:
    assert unzip(gzip.compress(content), size, piece) == content


@given(
    parts=st.lists(st.binary(max_size=200), min_size=1, max_size=4), size=st.integers(1, 50), zeros=st.integers(0, 60)
)
def test_several_members_and_zeros_behind_them_are_one_content(parts: list[bytes], size: int, zeros: int) -> None:
    assert unzip(b"".join(map(gzip.compress, parts)) + bytes(zeros), size) == b"".join(parts)


@given(chunks=st.lists(st.binary(max_size=300)))
def test_what_is_compressed_is_gzip(chunks: list[bytes]) -> None:
    stream = Gzip()
    compressed = b"".join([*map(stream.feed, chunks), stream.close()])
    assert gzip.decompress(compressed) == b"".join(chunks)


@pytest.mark.parametrize("between", [b"", b"\0"], ids=["nothing", "a zero"])
def test_thousands_of_members_cost_linear_work(monkeypatch: pytest.MonkeyPatch, between: bytes) -> None:
    copied = 0

    class Counting:
        def __init__(self, options: int) -> None:
            self.real = zlib.decompressobj(options)

        def __getattr__(self, name: str) -> Any:
            nonlocal copied
            found = getattr(self.real, name)
            copied += len(found) if name in ("unused_data", "unconsumed_tail") else 0
            return found

    monkeypatch.setattr(compression, "zlib", SimpleNamespace(decompressobj=Counting, error=zlib.error))
    data = (gzip.compress(b"") + between) * 20_000 + gzip.compress(b"x")
    assert unzip(data, 2**20) == b"x"
    assert copied < 300 * len(data), "a member's end may copy what was fed with it, but not the rest of the chunk"


def test_a_bomb_comes_in_small_pieces() -> None:
    gunzip = Gunzip(1000)
    total = 0
    for piece in gunzip.feed(gzip.compress(bytes(10**7))):
        assert len(piece) <= 1000
        total += len(piece)
    assert total + sum(map(len, gunzip.close())) == 10**7


CONTENT = gzip.compress(random.Random(7).randbytes(500))


@pytest.mark.parametrize("size", [1, 7, 10_000])
@pytest.mark.parametrize("end", [1, 9, 12, 300, len(CONTENT) - 8, len(CONTENT) - 1])
def test_a_stream_cut_off_is_told_with_what_was_read(end: int, size: int) -> None:
    with pytest.raises(ExportMalformed, match=f"ends too early, after {end} bytes"):
        unzip(CONTENT[:end], size)


def test_nothing_is_no_gzip() -> None:
    with pytest.raises(ExportMalformed, match="ends too early, after 0 bytes"):
        unzip(b"", 1)


@pytest.mark.parametrize("size", [1, 10_000])
@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b'{"sessions": []}', "gzip is damaged.*incorrect header check"),
        (CONTENT[:-5] + b"\0" + CONTENT[-4:], "its checksum is wrong"),
        (CONTENT + b"{}", f"something else behind byte {len(CONTENT)} as stored, where a gzip member ends"),
        (CONTENT + bytes(5) + b"{}", f"something else behind byte {len(CONTENT) + 5} as stored"),
    ],
    ids=["plain", "wrong checksum", "more behind", "more behind zeros"],
)
def test_what_is_no_gzip_is_told(data: bytes, reason: str, size: int) -> None:
    with pytest.raises(ExportMalformed, match=reason) as caught:
        unzip(data, size)
    assert "contract" not in caught.value.line


@given(content=st.binary(max_size=300), size=st.integers(1, 400), is_packed=st.booleans())
def test_the_first_bytes_tell_whether_it_is_packed(content: bytes, size: int, is_packed: bool) -> None:
    assume(is_packed or not content.startswith(b"\x1f\x8b"))
    stored, unpacking = gzip.compress(content) if is_packed else content, Unpacking()
    pieces = [out for start in range(0, len(stored), size) for out in unpacking.feed(stored[start : start + size])]
    assert b"".join([*pieces, *unpacking.close()]) == content
