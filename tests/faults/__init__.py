"""What the system refuses once: the daemon under strace, which makes its system calls fail."""
