"""Reading the sources of a configuration: files, and mappings of Python."""
