"""What stands behind the objects that a program which embeds an arbiter holds in its hands."""
