"""The core: it decides what to do about the processes, and does no I/O and has no threads.

To be read in this order: `life` and `process` (the two tables), `goal`, `conditions`, `phase`,
`backoff`, `places` and `watcher` (what there is); `ports` (what is outside); `hooks`, `ending`,
`rollout`, `proof`, `spawning` and `converge` (the steps, each built on those before); `facts`,
`watchers` and `roster` (what sets them going); `state` (in JSON).
Above it stand `supervisor.campaign`, which sequences an order to all, and `supervisor.reason`,
which says why a watcher stands where it stands.
"""
