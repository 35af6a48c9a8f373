"""The benchmark: `python -m tests.bench`. Ours and its peers in turn, in one run."""
