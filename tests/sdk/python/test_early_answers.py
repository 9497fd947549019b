"""Answers that hone gives before it has read the request's body: no client loses one.

HONE_EARLY_ANSWERS says how many of each kind each client asks for.
"""

import http.client
import os
import shutil
import subprocess
import time

import httpx
import pytest
import requests

from conftest import KEY, Process

ROUNDS = int(os.environ.get("HONE_EARLY_ANSWERS", "50"))
CONFIG = """
listen = "127.0.0.1:0"

[bounds]
body_bytes = 1_000_000
connections_per_minute = 1_000_000
rejected_keys_per_minute = 1_000_000

[[upstream]]
name = "sim"
base_url = "{base_url}"
"""
CHAT = "/v1/chat/completions"
JSON = {"authorization": f"Bearer {KEY}", "content-type": "application/json"}
REFUSALS = {
    "an unknown gateway key": (401, CHAT, {**JSON, "authorization": "Bearer hone-" + "0" * 64}),
    "a type that is not read": (415, CHAT, {**JSON, "content-type": "text/plain"}),
    "a bad header": (400, CHAT, {**JSON, "x-hone-detail": "all"}),
    "no such path": (404, "/nothing", JSON),
    "a wrong method": (405, "/livez", JSON),
}
SIZES = [10, 200_000, 2_000_000]


@pytest.fixture(scope="module")
def address(sim, tmp_path_factory):
    config = tmp_path_factory.mktemp("early") / "hone.toml"
    config.write_text(CONFIG.format(base_url=f"http://{sim.address}/v1"))
    process = Process("serve", "--config", str(config))
    yield process.address
    process.stop()


def late(body):
    """The body, 50 ms after the head, in two pieces."""
    time.sleep(0.05)
    yield body[: len(body) // 2]
    time.sleep(0.05)
    yield body[len(body) // 2 :]


def cases():
    for name, refusal in REFUSALS.items():
        for size in SIZES:
            for pace in ("at once", "late"):
                yield pytest.param(*refusal, size, pace == "late", id=f"{name}, {size} bytes {pace}")
    yield pytest.param(413, CHAT, JSON, 2_000_000, False, id="a body that is too large")
    yield pytest.param(413, CHAT, JSON, 2_000_000, True, id="a body that is too large, of unknown length")


each = pytest.mark.parametrize(("status", "path", "headers", "size", "is_late"), list(cases()))


def rounds(is_late):
    """Late bodies take their time, but there are as many kinds of them."""
    return ROUNDS // 10 if is_late else ROUNDS


@pytest.mark.parametrize("keeps", [True, False], ids=["kept", "new"])
@each
def test_http_client(address, keeps, status, path, headers, size, is_late):
    body = b"x" * size
    connection = http.client.HTTPConnection(address, timeout=30)
    for _ in range(rounds(is_late)):
        connection.request("POST", path, late(body) if is_late else body, headers)
        answer = connection.getresponse()
        assert answer.status == status
        answer.read()
        if not keeps:
            connection.close()
    connection.close()


@pytest.mark.parametrize("size", [10, 200_000])
def test_http_client_that_never_sends_its_body(address, size):
    status, path, headers = REFUSALS["an unknown gateway key"]
    for _ in range(ROUNDS):
        connection = http.client.HTTPConnection(address, timeout=30)
        connection.putrequest("POST", path)
        for name, value in {**headers, "content-length": str(size)}.items():
            connection.putheader(name, value)
        connection.endheaders()
        answer = connection.getresponse()
        assert (answer.status, answer.getheader("connection")) == (status, "close")
        assert answer.read()
        connection.close()


@each
def test_requests(address, status, path, headers, size, is_late):
    body = b"x" * size
    with requests.Session() as session:
        for _ in range(rounds(is_late)):
            answer = session.post(f"http://{address}{path}", data=late(body) if is_late else body, headers=headers, timeout=30)
            assert answer.status_code == status


@each
def test_httpx(address, status, path, headers, size, is_late):
    body = b"x" * size
    with httpx.Client(timeout=30, trust_env=False) as client:
        for _ in range(rounds(is_late)):
            answer = client.post(f"http://{address}{path}", content=late(body) if is_late else body, headers=headers)
            assert answer.status_code == status


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl")
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("expects", [True, False], ids=["asks first", "asks nothing"])
def test_curl(address, tmp_path, expects, size):
    status, path, headers = REFUSALS["an unknown gateway key"]
    file = tmp_path / "body"
    file.write_bytes(b"x" * size)
    for _ in range(ROUNDS):
        assert curl(address, path, headers, file, expects) == str(status)


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl")
@pytest.mark.parametrize("expects", [True, False], ids=["asks first", "asks nothing"])
def test_curl_with_a_body_that_is_too_large(address, tmp_path, expects):
    file = tmp_path / "body"
    file.write_bytes(b"x" * 2_000_000)
    for _ in range(ROUNDS):
        assert curl(address, CHAT, JSON, file, expects) == "413"


def curl(address, path, headers, file, expects):
    """The status that curl is told."""
    lines = [part for name, value in headers.items() for part in ("--header", f"{name}: {value}")]
    lines += ["--header", "expect: 100-continue" if expects else "expect:"]
    command = ["curl", "--silent", "--show-error", "--noproxy", "*", "--output", os.devnull, "--write-out", "%{http_code}", *lines]
    told = subprocess.run([*command, "--data-binary", f"@{file}", f"http://{address}{path}"], capture_output=True, text=True)
    assert told.returncode == 0, told.stderr
    return told.stdout


@pytest.fixture(scope="module")
def full(sim, tmp_path_factory):
    """A hone that refuses every connection but one, which is given. It stays open as long as it is used."""
    config = tmp_path_factory.mktemp("full") / "hone.toml"
    config.write_text(CONFIG.format(base_url=f"http://{sim.address}/v1").replace("[bounds]", "[bounds]\nconnections_per_address = 1"))
    process = Process("serve", "--config", str(config))
    held = http.client.HTTPConnection(process.address, timeout=30)
    yield held
    held.close()
    process.stop()


@pytest.mark.parametrize("size", SIZES)
def test_a_connection_that_is_refused_says_so(full, tmp_path, size):
    body, file = b"x" * size, tmp_path / "body"
    file.write_bytes(body)
    held, full = full, f"{full.host}:{full.port}"
    for _ in range(ROUNDS):
        held.request("GET", "/livez")
        assert held.getresponse().read()
        connection = http.client.HTTPConnection(full, timeout=30)
        connection.request("POST", CHAT, body, JSON)
        answer = connection.getresponse()
        assert (answer.status, answer.getheader("x-hone-error"), answer.getheader("retry-after")) == (503, "too_many_connections", "1")
        connection.close()
        with requests.Session() as session:
            assert session.post(f"http://{full}{CHAT}", data=body, headers=JSON, timeout=30).status_code == 503
        with httpx.Client(timeout=30, trust_env=False) as client:
            assert client.post(f"http://{full}{CHAT}", content=body, headers=JSON).status_code == 503
        if shutil.which("curl"):
            assert [curl(full, CHAT, JSON, file, expects) for expects in (True, False)] == ["503", "503"]
