"""A class of watchers with a method that its hooks call, and notes that these leave on it."""

from circus.arbiter import Arbiter
from circus.watcher import Watcher
from embedder import CONTROL, EVENTS, run, say, until


class Tagged(Watcher):
    def tag(self):
        return f"tag of {self.name}"


def note(watcher, arbiter, hook_name, **kwargs):
    others = [one.name for one in arbiter.iter_watchers() if one != watcher]
    same = watcher == arbiter.get_watcher("web") and watcher in set(arbiter.watchers)
    say([hook_name, watcher.tag(), others, same])
    watcher.calls = getattr(watcher, "calls", 0) + 1
    return True


def talk(client):
    until(lambda: client.send_message("status")["statuses"] == dict.fromkeys(NAMES, "active"))


NAMES = ("web", "other")
hooks = {name: (note, False) for name in ("before_start", "after_spawn", "after_start")}
web = Tagged("web", "sleep 1000", hooks=hooks, priority=1)
run(Arbiter([web, Watcher("other", "sleep 1000")], CONTROL, EVENTS, check_delay=0.1), talk)
say(web.calls)
