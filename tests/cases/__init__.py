"""Inputs that once went wrong, each standing for its kind, with what must happen.

`python -m tests.cases` runs all of them and prints a line for each: its name, its outcome and the
seconds that it took. `python -m tests.cases --list` says what each one is about. The suite runs all
but the long ones.
"""
