"""Says in gunicorn's log when a worker has loaded the application: `ready.serves = log:serves`."""


def post_worker_init(worker):
    worker.log.info("worker %d serves", worker.pid)
