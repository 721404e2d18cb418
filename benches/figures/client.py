"""A small HTTP client: a plain socket, so that the client costs little beside what it measures."""

import json
import socket
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor


class Connection:
    """One connection that is kept open."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def predict(self, body: bytes) -> tuple[int, bytes]:
        """Sends one request to `/api/predict`; gives the answer's status and body."""
        head = (
            "POST /api/predict HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
            f"content-length: {len(body)}\r\n\r\n"
        )
        self._socket.sendall(head.encode() + body)
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += self._receive()
        received, _, content = answer.partition(b"\r\n\r\n")
        status, *fields = received.decode("latin-1").split("\r\n")
        length = next(int(field.split(":")[1]) for field in fields if field.lower().startswith("content-length:"))
        while len(content) < length:
            content += self._receive()
        return int(status.split(" ")[1]), content

    def close(self) -> None:
        self._socket.close()

    def _receive(self) -> bytes:
        received = self._socket.recv(1 << 16)
        if not received:
            raise ConnectionError("the server closed the connection")
        return received


def first_prediction(port: int, body: bytes, patience: float = 60.0) -> None:
    """Asks every millisecond until there is a prediction."""
    give_up = time.perf_counter() + patience
    last = "no connection"
    while time.perf_counter() < give_up:
        try:
            connection = Connection(port)
            try:
                status, content = connection.predict(body)
            finally:
                connection.close()
            if status == 200 and json.loads(content)["predictions"]:
                return
            last = f"{status}: {content[:200]!r}"
        except OSError as error:
            last = str(error)
        time.sleep(0.001)
    raise RuntimeError(f"no prediction within {patience:.0f} s, last {last}")


def predict_all(port: int, bodies: Iterable[bytes], connections: int) -> int:
    """Asks for each body over several connections; gives the number of answers, all of them with status 200."""
    shares: list[list[bytes]] = [[] for _ in range(connections)]
    for index, body in enumerate(bodies):
        shares[index % connections].append(body)

    def ask(share: list[bytes]) -> int:
        connection = Connection(port)
        try:
            for body in share:
                status, content = connection.predict(body)
                if status != 200:
                    raise RuntimeError(f"expected 200, got {status}: {content[:200]!r}")
        finally:
            connection.close()
        return len(share)

    with ThreadPoolExecutor(connections) as pool:
        return sum(pool.map(ask, shares))
