#!/usr/bin/env bash
# Sets up .venv in the repository and runs `aetl run` with the given arguments, in the current directory.
set -euo pipefail
. "$(dirname -- "${BASH_SOURCE[0]}")/set_up.sh"
set_up
exec "$python" -m aetl run "$@"
