"""Starts one command and writes down what it took: a small process of its own, between the benchmark and the command.

    python -I -S spawn.py RESULT.json PROGRAM [ARGUMENT ...]

Linux counts to a process's peak memory what its parent held when it was started, as execve keeps the larger of both.
So nothing large may start what is measured; this process has some 8 MB, less than any Python that it starts.
"""

from __future__ import annotations

import json
import os
import sys
import time


def main(result: str, command: list[str]) -> None:
    began = time.perf_counter()
    child = os.posix_spawn(command[0], command, os.environ)
    _, status, used = os.wait4(child, 0)
    wall = time.perf_counter() - began
    peak = used.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    with open(result, "w", encoding="utf-8") as file:  # noqa: PTH123 - pathlib would make this process larger
        json.dump(
            {
                "exit_code": os.waitstatus_to_exitcode(status),
                "wall": wall,
                "user": used.ru_utime,
                "system": used.ru_stime,
                "peak": peak,
            },
            file,
        )


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
