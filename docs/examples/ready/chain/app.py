"""An application for any server that speaks WSGI."""


def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"done\n"]
