#!/usr/bin/env python3
"""A custom handler that does what the files in the folder $PLAN say, and writes down there what it saw.

start.json          what to do at the start: {"exit", "stdout", "stderr", "delay", "silent", "hang"}
<name>.json         how to answer a path, `/` written as `-` and without the first one:
                    {"status", "headers", "body", "delay", "exit", "wait_for", "chunks"}
Without a plan a path gets an echo of the request.
"""

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
LOCK = threading.Lock()


def note(file, entry):
    with LOCK, open(PLAN / file, "a", encoding="utf-8") as log:
        log.write(json.dumps(entry) + "\n")


def plan(name):
    try:
        return json.loads((PLAN / f"{name}.json").read_text())
    except FileNotFoundError:
        return None


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1

    def log_message(self, *_):
        pass

    def body(self):
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            parts = []
            while size := int(self.rfile.readline().split(b";")[0], 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def answer(self):
        if self.path == "/":
            self.reply(plan("probe") or {"body": "ready"})
            return
        body = self.body()
        seen = {
            "method": self.command,
            "target": self.path,
            "headers": [[name.lower(), value] for name, value in self.headers.items()],
            "size": len(body),
            "sha256": hashlib.sha256(body).hexdigest(),
            "pid": os.getpid(),
        }
        if len(body) < 1_000_000:
            seen["body"] = body.decode("utf-8", "replace")
        note("seen.jsonl", seen)
        name = self.path.split("?")[0].strip("/").replace("/", "-")
        self.reply(plan(name) or {"headers": {"Content-Type": "application/json"}, "body": json.dumps(seen)})
        note("done.jsonl", {"target": self.path})

    def reply(self, planned):
        time.sleep(planned.get("delay", 0))
        if "wait_for" in planned:
            while not (PLAN / planned["wait_for"]).exists():
                time.sleep(0.01)
        if "exit" in planned:
            print("going down", file=sys.stderr, flush=True)
            os._exit(planned["exit"])
        self.send_response(planned.get("status", 200))
        for name, value in planned.get("headers", {}).items():
            self.send_header(name, value)
        if "chunks" in planned:
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for number, chunk in enumerate(planned["chunks"]):
                while number and not (PLAN / f"release-{number}").exists():
                    time.sleep(0.01)
                self.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk.encode()))
                self.wfile.flush()
            self.wfile.write(b"0\r\n\r\n")
        else:
            content = planned.get("body", "").encode()
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
        self.wfile.flush()

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = answer


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 128


def main():
    start = plan("start") or {}
    note("starts.jsonl", {"env": dict(os.environ), "cwd": os.getcwd(), "args": sys.argv[1:], "pid": os.getpid()})
    signal.signal(signal.SIGTERM, lambda *_: note("signals.jsonl", "SIGTERM"))
    for line in start.get("stdout", []):
        print(line, flush=True)
    for line in start.get("stderr", []):
        print(line, file=sys.stderr, flush=True)
    time.sleep(start.get("delay", 0))
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
