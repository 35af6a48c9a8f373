"""The core: what is wanted, what is so, and the next step. No I/O, no threads, no clock of its
own."""
