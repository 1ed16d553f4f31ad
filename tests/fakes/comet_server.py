"""An HTTP server that speaks CometBFT's JSON-RPC and says what a test tells it to."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Callable
from contextlib import contextmanager


class RpcError(Exception):
    """What CometBFT answers as an error."""


class CometServer(http.server.ThreadingHTTPServer):
    """Answers each call with ``answer(method, parameters)``; counts requests and connections."""

    daemon_threads = True

    def __init__(self, answer: Callable[[str, dict], dict]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answer = answer
        self.connections = 0
        self.requests = []
        """Method names of each request."""
        self.raw = []
        """Whole bodies to answer with, first come; then calls are answered."""
        self.is_chunked = False
        self.closes_silently = False

    def outcome(self, request):
        head = {"jsonrpc": "2.0", "id": request["id"]}
        try:
            return head | {"result": self.answer(request["method"], request["params"])}
        except RpcError as exc:
            error = {"code": -32603, "message": "Internal error", "data": str(exc)}
            return head | {"error": error}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def setup(self):
        super().setup()
        self.server.connections += 1

    def do_POST(self):
        server = self.server
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        calls = asked if isinstance(asked, list) else [asked]
        server.requests.append([one["method"] for one in calls])
        if server.raw:
            body = server.raw.pop(0)
        else:
            outcomes = [server.outcome(one) for one in calls]
            body = json.dumps(outcomes if isinstance(asked, list) else outcomes[0]).encode()
        is_error = b'"error"' in body and not isinstance(asked, list)
        self.send_response(500 if is_error else 200)
        if server.is_chunked:
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for start in range(0, len(body), 7):
                piece = body[start : start + 7]
                self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            self.wfile.write(b"0\r\n\r\n")
        else:
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        self.close_connection = server.closes_silently

    def log_message(self, *_):
        pass


@contextmanager
def comet_server(answer):
    """Run a server until the end of the block."""
    server = CometServer(answer)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
