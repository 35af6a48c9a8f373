"""Configuration: from files or mappings to typed options. The tour begins in `build.py`."""
