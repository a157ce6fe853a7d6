"""What users would write themselves: download into memory, orjson.loads, sqlite3.executemany.

    CHAT_DB_CONTAINER_URL=... CHAT_DB_CONTAINER_SAS_TOKEN=... python -m tools.benchmark.by_hand BLOB DATABASE

No contract, no ledger, nothing streamed; but with the tables, keys, foreign keys and settings of the reference.
"""

from __future__ import annotations

import os
import sys
from operator import itemgetter
from pathlib import Path

import orjson
from azure.storage.blob import ContainerClient

from tools.benchmark.reference import COLUMNS, INSERT, connect


def main(blob: str, database: Path) -> None:
    url, sas = os.environ["CHAT_DB_CONTAINER_URL"], os.environ["CHAT_DB_CONTAINER_SAS_TOKEN"]
    with ContainerClient.from_container_url(url, sas) as container:
        document = orjson.loads(container.download_blob(blob).readall())
    connection = connect(database)
    connection.execute("BEGIN")
    for table, statement in INSERT.items():
        connection.executemany(statement, map(itemgetter(*COLUMNS[table]), document[table]))
    connection.execute("COMMIT")
    connection.close()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
