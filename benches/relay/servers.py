"""The servers of the benchmark: started on free ports of this machine, watched through /proc, and stopped by their ids."""

import contextlib
import os
import pathlib
import shutil
import socket
import subprocess
import time

HERE = pathlib.Path(__file__).resolve().parent
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
    text = (HERE / template).read_text()
    for name, value in values.items():
        text = text.replace(f"@{name}@", str(value))
    destination.write_text(text)
    return destination


class Server:
    """A process with its children, as one thing whose use of the machine is measured."""

    def __init__(self, command, port, log):
        self.port = port
        with open(log, "wb") as errors:
            self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=errors)
        self.log = log

    def wait(self):
        """Returns when the port accepts connections; fails if the process has ended or takes over 10 seconds."""
        for _ in range(200):
            if self.process.poll() is not None:
                raise SystemExit(f"a server ended at its start; its log:\n{self.log.read_text()}")
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
                return
            time.sleep(0.05)
        raise SystemExit(f"a server does not listen; its log:\n{self.log.read_text()}")

    def family(self):
        """The ids of the process and of its children."""
        return [self.process.pid, *children(self.process.pid)]

    def cpu_seconds(self):
        """User and system time so far."""
        return sum(int(field) for pid in self.family() for field in stat(pid)[11:13]) / TICKS

    def resident_kib(self):
        """Resident memory; what a parent and its children share counts in each."""
        lines = (line for pid in self.family() for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines())
        return sum(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def stat(pid):
    """The fields of /proc/PID/stat after the name, which may itself hold spaces."""
    return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def children(parent):
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        with contextlib.suppress(OSError, IndexError):
            if entry.name.isdigit() and int(stat(entry.name)[1]) == parent:
                found.append(int(entry.name))
    return found


def nginx(template, directory, **values):
    directory.mkdir()
    # Its workers may run as another user.
    directory.chmod(0o755)
    port = free_port()
    config = filled(template, directory / "nginx.conf", PORT=port, **values)
    command = [program("nginx"), "-p", str(directory), "-e", "error.log", "-c", str(config)]
    return Server(command, port, directory / "stderr.log")


def nginx_proxy(directory, upstream, checked):
    """nginx as a reverse proxy; if `checked`, with what it has of logs and limits."""
    limits = "limit_req zone=rate burst=1000000 nodelay; limit_conn concurrency 4096;"
    return nginx(
        "proxy.conf.in",
        directory,
        UPSTREAM=upstream.port,
        ACCESS_LOG="access.log" if checked else "off",
        LIMITS=limits if checked else "",
    )


def hone(binary, directory, upstream):
    directory.mkdir()
    port = free_port()
    config = filled("hone.toml.in", directory / "hone.toml", PORT=port, UPSTREAM=upstream.port, ADMIN=free_port())
    return Server([str(binary), "serve", "--config", str(config)], port, directory / "stderr.log")


def sim(binary, directory, tokens, tokens_per_second):
    """hone's simulated provider, which streams answers of `tokens` events, each after a pause."""
    directory.mkdir()
    port = free_port()
    knobs = f'{{"answer_tokens": {tokens}}}'
    pace = ["--tokens-per-second", str(tokens_per_second), "--knobs", knobs]
    return Server([str(binary), "sim", "--listen", f"127.0.0.1:{port}", *pace], port, directory / "stderr.log")
