"""An event listener of Supervisor that reports deaths and counts events.

Usage: listener.py REPORTS
"""

import sys

from teller import Teller


def main():
    """Answer every event, as Supervisor's documentation has it."""
    teller = Teller(sys.argv[1], "probe")
    while True:
        sys.stdout.write("READY\n")
        sys.stdout.flush()
        header = dict(word.split(":") for word in sys.stdin.readline().split())
        payload = sys.stdin.read(int(header["len"]))
        teller.counted()
        if header["eventname"] == "PROCESS_STATE_EXITED":
            teller.heard(int(dict(word.split(":") for word in payload.split())["pid"]))
        sys.stdout.write("RESULT 2\nOK")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
