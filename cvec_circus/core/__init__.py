"""The core: decides what to do about processes. It does no I/O and has no threads.

Read in this order: `life` and `process` (the two tables), `goal`, `conditions`, `phase`, `backoff`,
`places` and `watcher` (what there is); `ports` (what is outside); `hooks`, `ending`, `rollout`,
`proof`, `spawning` and `converge` (the steps, each built on those before); `facts`, `watchers` and
`roster` (what triggers them); `state` (in JSON). Above it are `supervisor.campaign`, which
sequences an order to all, and `supervisor.answers.reason`, which explains a watcher's state.
"""
