#!/usr/bin/env bash
# Sets up .venv in the repository, checks style, types and imports, then runs the tests; arguments go to pytest.
set -euo pipefail
. "$(dirname -- "${BASH_SOURCE[0]}")/set_up.sh"
set_up test
cd -- "$root"
"$python" -m ruff check
"$python" -m ruff format --check
"$python" -m mypy
"$root/.venv/bin/lint-imports" --no-logo
exec "$python" -m pytest --numprocesses=auto "$@"
