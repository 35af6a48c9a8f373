"""uvicorn on a socket that it inherits: `uvicorn_server.py FD MODULE:APP`.

When uvicorn is asked to stop it closes every connection that has no request on it, also one that
it has accepted in that very moment, whose request is on its way. This one accepts no more and
looks at what has come for a moment first.
"""

import asyncio
import sys

import uvicorn


class Server(uvicorn.Server):
    async def shutdown(self, sockets=None):
        for server in self.servers:
            server.close()
        await asyncio.sleep(0.2)
        await super().shutdown(sockets)


sys.path.insert(0, "")  # as the command uvicorn does: the folder it runs in
config = uvicorn.Config(sys.argv[2], fd=int(sys.argv[1]), access_log=False)
Server(config).run()
