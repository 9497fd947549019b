"""The two loads: whole answers through wrk, and paced streams through a client of our own, which counts every event."""

import json
import selectors
import socket
import subprocess
import time

from servers import HERE, program

BODY = json.dumps({"model": "sim-small", "stream": True, "messages": [{"role": "user", "content": "Go on."}]}).encode()
REQUEST = (
    b"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    b"Authorization: Bearer sk-relay-benchmark\r\nContent-Length: " + str(len(BODY)).encode() + b"\r\n\r\n" + BODY
)
# Far more than any run needs: a stream that stands still ends the benchmark instead of hanging it.
SILENCE = 20


def wrk(port, connections, seconds):
    """Closed-loop load: each connection sends its next request when it has its answer."""
    command = [program("wrk"), "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "-s", str(HERE / "request.lua")]
    url = f"http://127.0.0.1:{port}/v1/chat/completions"
    output = subprocess.run([*command, url], check=True, capture_output=True, text=True, timeout=seconds + 30).stdout
    summary = json.loads(output.split("SUMMARY ")[1])
    if summary["failed"] or not summary["requests"]:
        raise SystemExit(f"requests failed, so there is nothing to compare:\n{output}")
    return summary


class Stream:
    """One connection, which asks for `rounds` streams one after the other."""

    def __init__(self, port, rounds):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=SILENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.left = rounds
        self.events = 0
        self.first_s = []
        self.ask()

    def ask(self):
        self.answer = bytearray()
        self.asked = time.perf_counter()
        self.socket.sendall(REQUEST)

    def read(self):
        """Takes what has arrived. Returns whether this connection is done."""
        data = self.socket.recv(65536)
        if not data:
            raise SystemExit(f"a stream was cut: {bytes(self.answer[-200:])!r}")
        before = len(self.answer)
        self.answer += data
        if b"data: " not in self.answer[:before] and b"data: " in self.answer:
            self.first_s.append(time.perf_counter() - self.asked)
        if not self.answer.endswith(b"\r\n0\r\n\r\n"):
            return False
        if not self.answer.startswith(b"HTTP/1.1 200") or b"data: [DONE]" not in self.answer:
            raise SystemExit(f"not a stream: {bytes(self.answer[:400])!r}")
        self.events += self.answer.count(b"data: ")
        self.left -= 1
        if self.left:
            self.ask()
        return not self.left


def streams(port, connections, rounds):
    """Reads `connections` × `rounds` streams. Returns the events, the seconds, and the seconds to each first event."""
    began = time.perf_counter()
    ready = selectors.DefaultSelector()
    opened = [Stream(port, rounds) for _ in range(connections)]
    for stream in opened:
        ready.register(stream.socket, selectors.EVENT_READ, stream)
    while ready.get_map():
        arrived = ready.select(timeout=SILENCE)
        if not arrived:
            raise SystemExit("streams stand still")
        for key, _ in arrived:
            if key.data.read():
                ready.unregister(key.data.socket)
                key.data.socket.close()
    firsts = sorted(second for stream in opened for second in stream.first_s)
    return sum(stream.events for stream in opened), time.perf_counter() - began, firsts
