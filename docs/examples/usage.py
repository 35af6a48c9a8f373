"""Print what every watcher uses, a line each time that it is published."""

import sys

from cvec_circus.stats.client import StatsClient


def main(endpoint):
    for watcher, subtopic, stat in StatsClient(endpoint):
        if subtopic is None and watcher != "sockets":
            print(watcher, stat["cpu"], stat["mem"], flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
