"""The operating system, one subject a file: signals, exits, launching, /proc, the pid file."""
