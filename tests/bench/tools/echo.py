"""A bare ROUTER that sends back what comes, or, with `json`, reads it and answers in JSON.

Usage: echo.py ENDPOINT raw|json
"""

from __future__ import annotations

import json
import sys

import zmq

from cvec_circus.base.clock import SYSTEM


def main() -> None:
    """Echo until SIGTERM."""
    endpoint, kind = sys.argv[1:]
    router = zmq.Context().socket(zmq.ROUTER)
    router.bind(endpoint)
    while True:
        peer, body = router.recv_multipart()
        if kind == "json":
            message = json.loads(body)
            reply = {"status": "ok", "time": SYSTEM.time(), "id": message["id"]}
            body = json.dumps(reply).encode()
        router.send_multipart([peer, body])


if __name__ == "__main__":
    main()
