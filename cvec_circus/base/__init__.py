"""The foundation: a clock, timers, a wake-up, a loop, a worker. Knows no processes."""
