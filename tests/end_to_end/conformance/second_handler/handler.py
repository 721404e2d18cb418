#!/usr/bin/env python3
"""A custom handler in Python's standard library: greets over HTTP, sweeps by a timer, takes letters from blobs.

$FAULT names one thing to do wrong, so that a check can be seen to fail.
"""

import http.server
import json
import os
import signal
import sys
import tempfile
import threading
import time

FAULT = os.environ.get("FAULT", "")
LOCK = os.path.join(tempfile.gettempdir(), "intake.lock")


class BadRequest(Exception):
    pass


class Failed(Exception):
    pass


def greet(text):
    try:
        request = json.loads(text)
        name = request.get("name", "world") if isinstance(request, dict) else None
    except ValueError:
        name = None
    if not isinstance(name, str):
        if FAULT == "crash on nonsense":
            raise RuntimeError("nonsense")
        return 400, {"error": "send {\"name\": TEXT}"}
    return 200, {"greeting": f"hello {name}"}


def enveloped_greet(envelope):
    request = envelope["Data"].get("req")
    if not isinstance(request, dict):
        raise BadRequest
    status, body = greet(request.get("Body", ""))
    response = {"statusCode": status, "headers": {"Content-Type": "application/json"}, "body": json.dumps(body)}
    return {"Outputs": {"res": response}}


def sweep(_envelope):
    if FAULT == "undeclared output":
        return {"Outputs": {"broom": "used"}}
    if FAULT == "slow":
        time.sleep(2)
    return {"Outputs": {}, "Logs": ["swept"]}


taken = []


def intake(envelope):
    if not isinstance(envelope["Data"].get("file"), str):
        raise BadRequest
    if FAULT == "forgets nothing":
        taken.append(envelope["Metadata"].get("Uri"))
        if len(taken) > 5:
            raise Failed("taken before")
    if FAULT == "stale lock":
        if os.path.exists(LOCK):
            raise Failed("another one is at work")
        with open(LOCK, "w", encoding="utf-8"):
            time.sleep(0.4)
        os.remove(LOCK)
    if FAULT == "refuses":
        raise Failed("always")
    return {"Outputs": {}, "Logs": ["taken"]}


EVENTS = {"/greet": enveloped_greet, "/sweep": sweep, "/intake": intake}
if FAULT == "no envelopes":
    del EVENTS["/greet"]
if FAULT == "unknown function":
    del EVENTS["/sweep"]
probes = []


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, form, *values):
        if FAULT == "access log":
            print(form % values, self.headers.get("x-functions-key"), file=sys.stderr, flush=True)

    def body(self):
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if FAULT == "no chunks":
            self.close_connection = True
            return b""
        parts = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def reply(self, status, value, kind="application/json"):
        content = b"" if value is None else json.dumps(value).encode()
        self.send_response(status)
        if kind:
            self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def do_GET(self):
        path = self.path.split("?")[0]
        if path == "/":
            probes.append(path)
            self.reply(503 if FAULT == "moody probe" and len(probes) % 2 else 200, {"ready": True})
        else:
            self.reply(405 if path in EVENTS else 404, {"error": "no"})

    def do_POST(self):
        body = self.body()
        path = self.path.split("?")[0]
        if path == "/api/greet":
            self.reply(*greet(body), kind="" if FAULT == "no content type" else "application/json")
            return
        event = EVENTS.get(path)
        if not event:
            self.reply(404, {"error": f"no function {path}"})
            return
        try:
            envelope = json.loads(body)
            if not isinstance(envelope, dict) or not isinstance(envelope.get("Data"), dict):
                raise BadRequest
            answer = event(envelope)
        except (ValueError, BadRequest):
            self.reply(200 if FAULT == "takes anything" else 400, {"error": "no envelope of this function"})
            return
        except Failed as error:
            self.reply(500, {"error": str(error)})
            return
        if FAULT == "writes beside itself":
            with open("swept.txt", "a", encoding="utf-8") as note:
                note.write("x")
        if FAULT == "empty answer":
            self.reply(200, None)
        elif FAULT == "plain text":
            self.reply(200, "ok", kind="text/plain")
        else:
            self.reply(200, answer)


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = False
    request_queue_size = 128


def main():
    if FAULT == "ends at once":
        sys.exit(3)
    if FAULT == "never listens":
        time.sleep(600)
    text = os.environ.get("FUNCTIONS_CUSTOMHANDLER_PORT", "")
    try:
        server = Server(("127.0.0.1", int(text)), Handler)
    except (ValueError, OverflowError, OSError) as error:
        if FAULT == "quiet end":
            sys.exit(0)
        sys.exit(f"cannot listen at FUNCTIONS_CUSTOMHANDLER_PORT={text!r}: {error}")
    if FAULT != "no drain":
        signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    print("greeter listens", flush=True)
    server.serve_forever()
    server.server_close()


main()
