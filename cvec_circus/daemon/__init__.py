"""cvec_circusd: the supervisor as a program."""
