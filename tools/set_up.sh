# Sourced by the scripts beside it: `. set_up.sh` then `set_up [EXTRA ...]`. Sets $root and $python, the Python of .venv.
# shellcheck shell=bash

# An activated environment, or one half set up, is none of our business.
unset PYTHONHOME PYTHONPATH VIRTUAL_ENV CDPATH
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)
python=$root/.venv/bin/python

set_up() {
    local candidate
    for candidate in python3.14 python3.13 python3.12 python3.11 python3 python; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
            "$candidate" "$root/tools/set_up.py" "$@"
            return
        fi
    done
    echo "aetl needs Python 3.11 or newer, and there is none on the PATH. See https://www.python.org/downloads/" >&2
    return 1
}
