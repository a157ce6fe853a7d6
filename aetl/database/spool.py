"""What has to wait lies in a temporary file, so that memory stays bounded."""

from __future__ import annotations

import pickle
import tempfile
from collections.abc import Iterator
from typing import Any, Self


class Spool:
    """Pieces of data in the order in which they came, in a file without a name that is gone when it is closed."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile(prefix="aetl-")  # noqa: SIM115 - closed by close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def add(self, piece: Any) -> None:
        """Takes one more piece, also after some were read."""
        self._file.seek(0, 2)
        pickle.dump(piece, self._file, pickle.HIGHEST_PROTOCOL)

    def __iter__(self) -> Iterator[Any]:
        """All pieces, as often as one likes."""
        self._file.seek(0)
        while True:
            try:
                yield pickle.load(self._file)  # only what this process itself wrote into a file without a name
            except EOFError:
                return

    def close(self) -> None:
        """Gives the file back."""
        self._file.close()
