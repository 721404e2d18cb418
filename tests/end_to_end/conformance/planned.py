#!/usr/bin/env python3
"""A custom handler that does what the files in the folder $PLAN say, and writes down there what it saw.

start.json          what to do at the start: {"exit", "stdout", "stderr", "wait_for", "silent", "hang"}
probe.json          how to answer `GET /`
<name>.json         how to answer a path, `/` written as `-` and without the first one:
                    {"status", "headers", "body", "delay", "exit", "signal", "break", "wait_for", "chunks", "pause", "digest"}
Without a plan a path gets an echo of the request.
"""

import base64
import hashlib
import http.server
import json
import os
import pathlib
import signal
import sys
import threading
import time

PLAN = pathlib.Path(os.environ["PLAN"])
TEMPORARY = os.environ.get("TMPDIR")
LOCK = threading.Lock()


def note(file, entry):
    with LOCK, open(PLAN / file, "a", encoding="utf-8") as log:
        log.write(json.dumps(entry) + "\n")


def plan(name):
    try:
        return json.loads((PLAN / f"{name}.json").read_text())
    except FileNotFoundError:
        return None


def wait_for(name):
    while not (PLAN / name).exists():
        time.sleep(0.01)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1

    def log_message(self, *_):
        pass

    def body(self):
        """The request's body and the number of its chunks."""
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            parts = []
            while size := int(self.rfile.readline().split(b";")[0], 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts), len(parts)
        return self.rfile.read(int(self.headers.get("Content-Length", 0))), 0

    def answer(self):
        headers = [[name.lower(), value] for name, value in self.headers.items()]
        if self.path == "/":
            note("probes.jsonl", {"method": self.command, "headers": headers, "peer": self.client_address[0]})
            self.reply(plan("probe") or {"body": "ready"})
            return
        body, chunks = self.body()
        seen = {
            "method": self.command,
            "target": self.path,
            "headers": headers,
            "size": len(body),
            "chunks": chunks,
            "sha256": hashlib.sha256(body).hexdigest(),
            "pid": os.getpid(),
            "temporary": sorted(os.listdir(TEMPORARY)) if TEMPORARY else None,
        }
        if len(body) < 1_000_000:
            seen["body"] = body.decode("utf-8", "replace")
        name = self.path.split("?")[0].strip("/").replace("/", "-")
        planned = plan(name)
        if planned and planned.get("digest"):
            # What the base64 of each input holds.
            data = json.loads(body)["Data"].items()
            seen["data"] = {name: digest(base64.b64decode(value, validate=True)) for name, value in data}
        note("seen.jsonl", seen)
        self.reply(planned or {"headers": {"Content-Type": "application/json"}, "body": json.dumps(seen)})
        note("done.jsonl", {"target": self.path})

    def reply(self, planned):
        time.sleep(planned.get("delay", 0))
        if "wait_for" in planned:
            wait_for(planned["wait_for"])
        if "exit" in planned:
            print("going down", file=sys.stderr, flush=True)
            os._exit(planned["exit"])
        if "signal" in planned:
            os.kill(os.getpid(), planned["signal"])
        if planned.get("break"):
            self.close_connection = True
            return
        self.send_response(planned.get("status", 200))
        for name, value in planned.get("headers", {}).items():
            self.send_header(name, value)
        if "chunks" in planned:
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for number, chunk in enumerate(planned["chunks"]):
                if "pause" in planned:
                    time.sleep(planned["pause"])
                elif number:
                    wait_for(f"release-{number}")
                self.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk.encode()))
                self.wfile.flush()
            self.wfile.write(b"0\r\n\r\n")
        else:
            content = planned.get("body", "").encode()
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
        self.wfile.flush()

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = do_PATCH = answer


def digest(content):
    return {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 128


def main():
    start = plan("start") or {}
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(number, lambda number, _: note("signals.jsonl", number))
    note("starts.jsonl", {"env": dict(os.environ), "cwd": os.getcwd(), "args": sys.argv[1:], "pid": os.getpid()})
    if TEMPORARY:
        (pathlib.Path(TEMPORARY) / f"pid-{os.getpid()}").touch()
    for line in start.get("stdout", []):
        print(line, flush=True)
    for line in start.get("stderr", []):
        print(line, file=sys.stderr, flush=True)
    if "wait_for" in start:
        wait_for(start["wait_for"])
    if "exit" in start:
        os._exit(start["exit"])
    if start.get("silent"):
        time.sleep(600)
    port = int(os.environ["FUNCTIONS_CUSTOMHANDLER_PORT"])
    if start.get("hang"):
        import socket

        listener = socket.create_server(("127.0.0.1", port))
        held = []
        while True:
            held.append(listener.accept())
    Server(("127.0.0.1", port), Handler).serve_forever()


main()
