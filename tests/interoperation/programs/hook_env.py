"""A hook that gives each process another environment."""

from circus import get_arbiter
from embedder import CONTROL, EVENTS, run, say, text_of, until


def choose(watcher, arbiter, hook_name, **kwargs):
    watcher.env["MODE"] = watcher._options["mode"] + " by " + hook_name
    return watcher.arbiter is arbiter


def talk(client):
    say(until(lambda: text_of("told")))


arbiter = get_arbiter(
    [
        {
            "name": "web",
            "cmd": "sh -c 'echo \"$MODE\" > told; exec sleep 1000'",
            "env": {"PATH": "$PATH", "NOTHING": "$NO_SUCH_NAME"},
            "mode": "fast",
            "hooks": {"before_spawn": ("hook_env.choose", False)},
        }
    ],
    controller=CONTROL,
    pubsub_endpoint=EVENTS,
)
if __name__ == "__main__":
    run(arbiter, talk)
