"""A stream of one's own, which goes on from one of the package."""

from circus import get_arbiter
from circus.stream import FancyStdoutStream
from embedder import CONTROL, EVENTS, run, say, text_of, until


class Named(FancyStdoutStream):
    out = open("told", "w")

    def prefix(self, data):
        return data["name"] + ": "


def talk(client):
    until(lambda: text_of("told").count("\n") == 2)
    say(text_of("told"))


if __name__ == "__main__":
    cmd = "sh -c 'echo one; echo two; exec sleep 1000'"
    stream = {"class": "stream_prefix.Named", "color": "red"}
    web = {"name": "web", "cmd": cmd, "copy_env": True, "stdout_stream": stream}
    run(get_arbiter([web], controller=CONTROL, pubsub_endpoint=EVENTS), talk)
