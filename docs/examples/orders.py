"""Orders to a watcher, and what comes of them."""

from cvec_circus import get_arbiter
from cvec_circus.watcher import Watcher

web = Watcher("web", "sleep", args=["3600"], numprocesses=2)
arbiter = get_arbiter([web], "tcp://127.0.0.1:0", "tcp://127.0.0.1:0", background=True)
end = arbiter.start()
arbiter.start_watchers().result()  # waits until they have been started

print(web.status(), len(web.processes))  # attributes show what is so in this moment
restart = web.restart()  # begins, and returns
print(len(restart.result(timeout=60)["started"]))  # waits for the end
web.incr().add_done_callback(lambda order: print(order.result()))  # waits for nothing

arbiter.stop()
print(end.result())  # 0, or 1 if a process would not end
