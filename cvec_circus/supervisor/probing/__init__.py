"""Whether processes are ready and alive: checks, and what processes say themselves."""
