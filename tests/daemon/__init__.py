"""The scripts, end to end."""
