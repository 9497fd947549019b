"""Runs `load` and reads what it prints. A load with a failed request gives no figures."""

import contextlib
import json
import socket
import subprocess


def failed(command, output):
    raise SystemExit(f"a load failed, so there is nothing to compare: {' '.join(map(str, command))}\n{output}")


def command(bench, kind, server, body, http2=False, **options):
    flags = [part for name, value in options.items() for part in (f"--{name}", str(value))]
    port = server.http2 if http2 else server.port
    return [bench.binary["load"], kind, "--address", f"127.0.0.1:{port}", "--body", body, *flags] + ["--http2"] * http2


def run(bench, kind, server, body, **options):
    """The figures of one load."""
    line = command(bench, kind, server, body, **options)
    done = subprocess.run(line, capture_output=True, text=True, timeout=180)
    if done.returncode:
        failed(line, done.stderr)
    figures = json.loads(done.stdout)
    if figures.get("failures"):
        failed(line, done.stdout)
    return figures


def charged(bench, kind, server, body, **options):
    """The same, with the CPU seconds that the server used meanwhile."""
    before = server.cpu_seconds()
    figures = run(bench, kind, server, body, **options)
    return {**figures, "cpu": server.cpu_seconds() - before}


@contextlib.contextmanager
def held(bench, server, body, streams, **options):
    """Holds streams open for as long as the context lasts, and then knows how many were lost."""
    line = command(bench, "hold", server, body, streams=streams, **options)
    process = subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        opened = process.stdout.readline()
        if not opened:
            failed(line, process.stderr.read())
        figures = json.loads(opened)
        yield figures
        rest, errors = process.communicate(timeout=30)
        if process.returncode:
            failed(line, errors)
        figures.update(json.loads(rest))
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


@contextlib.contextmanager
def stuck(server, body, count):
    """Keeps clients that ask, read the first line of the answer and then nothing, for as long as the context lasts."""
    content = body.read_bytes()
    head = "POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer stuck\r\nContent-Type: application/json\r\n"
    request = f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content
    with contextlib.ExitStack() as clients:
        for _ in range(count):
            client = clients.enter_context(socket.socket())
            # So small that what is not read stays with the server.
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.settimeout(30)
            client.connect(("127.0.0.1", server.port))
            client.sendall(request)
            begins = client.recv(12)
            if begins != b"HTTP/1.1 200":
                raise SystemExit(f"a client that does not read was not served: {begins!r}")
        yield
