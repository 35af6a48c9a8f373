"""Prints what it was given, as one line of JSON, and ends."""

import json
import os
import sys

print(
    json.dumps(
        {
            "argv": sys.argv[1:],
            "cwd": os.getcwd(),
            "env": dict(os.environ),
            "fds": {
                fd: os.readlink(f"/proc/self/fd/{fd}")
                for fd in os.listdir("/proc/self/fd")
                if os.path.exists(f"/proc/self/fd/{fd}")
            },
            "session": os.getsid(0) == os.getpgid(0) == os.getpid(),
        }
    )
)
