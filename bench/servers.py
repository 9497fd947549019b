"""The servers of the benchmark: started on free ports of this machine, watched through /proc, and stopped by their ids."""

import contextlib
import json
import os
import pathlib
import shutil
import socket
import subprocess
import time

import peers

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
TICKS = os.sysconf("SC_CLK_TCK")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def program(name):
    """The path of an installed program. Some systems keep servers where only root looks."""
    found = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
    if not found:
        raise SystemExit(f"{name} is not installed")
    return found


def filled(template, destination, **values):
    """Writes a template with its @NAMES@ replaced."""
    text = (HERE / "config" / template).read_text()
    for name, value in values.items():
        text = text.replace(f"@{name}@", str(value))
    destination.write_text(text)
    return destination


class Server:
    """A process with its descendants, as one thing whose use of the machine is measured. Starts at once; `wait` for it before use."""

    def __init__(self, command, port, log, http2=None, patience=10, environment=None):
        self.port = port
        self.http2 = http2 or port
        self.log = log
        self.patience = patience
        self.began = time.perf_counter()
        with open(log, "wb") as errors:
            self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=errors, env={**os.environ, **(environment or {})})

    def wait(self):
        """Returns when the port accepts connections; fails if the process has ended or takes longer than `patience` seconds."""
        while time.perf_counter() - self.began < self.patience:
            if self.process.poll() is not None:
                raise SystemExit(f"a server ended at its start; its log:\n{self.log.read_text()}")
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
                return self
            time.sleep(0.001)
        raise SystemExit(f"a server does not listen; its log:\n{self.log.read_text()}")

    def family(self):
        """The ids of the process and of its descendants."""
        found = [self.process.pid]
        for parent in found:
            found.extend(children(parent))
        return found

    def cpu_seconds(self):
        """User and system time so far."""
        return sum(int(field) for pid in self.family() for field in stat(pid)[11:13]) / TICKS

    def resident_kib(self):
        """Resident memory; pages that a parent and its children share count once."""
        return sum(proportional_kib(pid) for pid in self.family())

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(timeout=3)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@contextlib.contextmanager
def running(**servers):
    """Waits for servers, and stops them at the end whatever happens."""
    try:
        for server in servers.values():
            server.wait()
        yield servers
    finally:
        for server in servers.values():
            server.stop()


def stat(pid):
    """The fields of /proc/PID/stat after the name, which may itself hold spaces."""
    return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def proportional_kib(pid):
    """Resident memory of a process, each page divided by the number of processes that map it. A program's own file is mapped once here."""
    for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1])
    raise SystemExit("this kernel does not tell proportional memory")


def children(parent):
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        with contextlib.suppress(OSError, IndexError):
            if entry.name.isdigit() and int(stat(entry.name)[1]) == parent:
                found.append(int(entry.name))
    return found


ANSWER = "It costs less than the model does. " * 18


def completion():
    """A chat completion of about a kilobyte, as a provider would write it."""
    message = {"role": "assistant", "content": ANSWER, "refusal": None}
    return {
        "id": "chatcmpl-benchmark",
        "object": "chat.completion",
        "created": 1750000000,
        "model": "sim-small",
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 230, "completion_tokens": 130, "total_tokens": 360},
        "system_fingerprint": "fp_benchmark",
    }


def message():
    """The same, as Anthropic would write it."""
    return {
        "id": "msg_benchmark",
        "type": "message",
        "role": "assistant",
        "model": "sim-small",
        "content": [{"type": "text", "text": ANSWER}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 230, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0, "output_tokens": 130},
    }


def response():
    """The same, as a response of OpenAI's."""
    content = [{"type": "output_text", "text": ANSWER, "annotations": [], "logprobs": []}]
    return {
        "id": "resp_benchmark",
        "object": "response",
        "created_at": 1750000000,
        "status": "completed",
        "model": "sim-small",
        "output": [{"id": "msg_benchmark", "type": "message", "role": "assistant", "status": "completed", "content": content}],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": {
            "input_tokens": 230,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": 130,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": 360,
        },
    }


def generated():
    """The same, as Google would write it."""
    return {
        "candidates": [{"content": {"role": "model", "parts": [{"text": ANSWER}]}, "finishReason": "STOP", "index": 0}],
        "usageMetadata": {"promptTokenCount": 230, "candidatesTokenCount": 130, "totalTokenCount": 360},
        "modelVersion": "sim-small",
        "responseId": "benchmark",
    }


ANSWERS = {"openai-chat": completion, "anthropic": message, "openai-responses": response, "gemini": generated}


class Bench:
    """Where programs are and servers put their files."""

    def __init__(self, directory, hone, tools):
        self.directory = directory
        self.binary = {"hone": hone, "floor": tools / "floor", "load": tools / "load", "nginx": pathlib.Path(program("nginx"))}
        self.servers = 0

    def place(self, name):
        """A new folder. Workers of nginx may run as another user."""
        self.servers += 1
        folder = self.directory / f"{self.servers}-{name}"
        folder.mkdir()
        folder.chmod(0o755)
        return folder

    def nginx(self, template, **values):
        folder, port, http2 = self.place("nginx"), free_port(), free_port()
        config = filled(template, folder / "nginx.conf", PORT=port, HTTP2=http2, **values)
        command = [self.binary["nginx"], "-p", folder, "-e", "error.log", "-c", config]
        return Server(command, port, folder / "stderr.log", http2)

    def upstream(self, dialect="openai-chat"):
        """nginx with a fixed answer."""
        return self.nginx("nginx-upstream.conf.in", ANSWER=json.dumps(ANSWERS[dialect]()))

    def proxy(self, upstream, checked=False, connections=2048):
        """nginx as a reverse proxy; if `checked`, with what it has of logs and limits."""
        limits = "limit_req zone=rate burst=1000000 nodelay; limit_conn concurrency 16384;"
        return self.nginx(
            "nginx-proxy.conf.in",
            UPSTREAM=upstream.port,
            CONNECTIONS=connections,
            ACCESS_LOG="access.log" if checked else "off",
            LIMITS=limits if checked else "",
        )

    def floor(self, upstream, http2=False, under=(), **how):
        """The bare relay. `under` is a command that starts it; `how` goes to `Server`."""
        folder, port = self.place("floor"), free_port()
        command = [self.binary["floor"], "--listen", f"127.0.0.1:{port}"]
        command += ["--upstream", f"127.0.0.1:{upstream.port}", *["--upstream-http2"] * http2]
        return Server([*under, *command], port, folder / "stderr.log", **how)

    def hone(self, upstream, http2=False, under=(), dialect=None, **how):
        """hone with everything on. The upstream's `dialect` is only named where it is given."""
        folder, port = self.place("hone"), free_port()
        values = {"PORT": port, "ADMIN": free_port(), "UPSTREAM_HTTP2": str(http2).lower()}
        # Google's clients write the version themselves.
        values["BASE_URL"] = f"http://127.0.0.1:{upstream.port}" + ("" if dialect == "gemini" else "/v1")
        values["DIALECT"] = f'dialect = "{dialect}"' if dialect else ""
        config = filled("hone.toml.in", folder / "hone.toml", **values)
        command = [*under, self.binary["hone"], "serve", "--config", config]
        return Server(command, port, folder / "stderr.log", **how)

    def plain(self, upstream, under=(), **how):
        """hone without a configuration."""
        folder, port = self.place("plain"), free_port()
        command = [*under, self.binary["hone"], "serve", "--listen", f"127.0.0.1:{port}"]
        command += ["--upstream", f"http://127.0.0.1:{upstream.port}/v1"]
        return Server(command, port, folder / "stderr.log", **how)

    def sim(self, *arguments, **knobs):
        """hone's simulated provider."""
        folder, port = self.place("sim"), free_port()
        command = [self.binary["hone"], "sim", "--listen", f"127.0.0.1:{port}", *arguments, "--knobs", json.dumps(knobs)]
        return Server(command, port, folder / "stderr.log")

    def peer(self, name, upstream):
        """Another gateway before the same upstream; it may take a minute to start."""
        folder, port = self.place(name), free_port()
        command, environment = peers.PEERS[name](folder, port, upstream.port)
        return Server(command, port, folder / "stderr.log", patience=120, environment=environment)

    def body(self, name, **fields):
        """A file with the body of a request; of a chat request, if the fields do not say otherwise."""
        path = self.directory / f"{name}.json"
        path.write_text(json.dumps(fields if "contents" in fields else {"model": "sim-small", **fields}))
        return path
