"""`python -m aetl`."""

from aetl.cli import main

if __name__ == "__main__":
    main()
