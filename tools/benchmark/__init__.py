"""Measures aetl beside what else could do its work: `python -m tools.benchmark` from the repository's root."""
