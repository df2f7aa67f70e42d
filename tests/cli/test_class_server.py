"""Real servers: one for a class answers its hosts at its address and only reads; none listens elsewhere by itself."""

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ADDRESS = "127.0.0.2"  # an address beside 127.0.0.1 that needs no network


def free_port(address: str) -> int:
    with socket.socket() as s:
        try:
            s.bind((address, 0))
        except OSError:
            pytest.skip(f"{address} is no address of this machine")
        return s.getsockname()[1]


def ask(
    address: str, port: int, *, host: str | None = None, method: str = "GET", path: str = "/", **headers: str
) -> int:
    headers |= {"Host": host} if host else {}
    request = urllib.request.Request(f"http://{address}:{port}{path}", headers=headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[int]:
    """The port of an app that is open to a class at ADDRESS and answers to lab.local as well."""
    port = free_port(ADDRESS)
    environment = os.environ | {
        "SIMCLR_CLASS": f"{ADDRESS},lab.local", "SIMCLR_CLASS_PORT": str(port), "OMP_NUM_THREADS": "1",
        "SIMCLR_RUNS": str(tmp_path_factory.mktemp("runs")),
    }  # fmt: skip
    log = (tmp_path_factory.mktemp("log") / "server.log").open("w")
    process = subprocess.Popen([sys.executable, "app.py"], cwd=ROOT, env=environment, stdout=log, stderr=log)
    deadline = time.monotonic() + 120
    while process.poll() is None and time.monotonic() < deadline:
        try:
            ask(ADDRESS, port)
            break
        except OSError:
            time.sleep(0.2)
    else:
        pytest.fail(Path(log.name).read_text())
    yield port
    process.terminate()
    process.wait(30)


def test_chosen_hosts_alone_are_answered(server):
    assert ask(ADDRESS, server) == 200
    assert ask(ADDRESS, server, host="lab.local") == 200
    for foreign in ("evil.example", "127.0.0.1", "localhost", "lab.local.evil.example", "x.lab.local"):
        for path in ("/", "/_stcore/health", "/api/thumb/demo/0", "/_stcore/upload_file/1/2"):
            assert ask(ADDRESS, server, host=foreign, path=path) == 400


def test_a_socket_for_a_foreign_host_is_refused(server):
    upgrade = {
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "YQ==",
    }
    assert ask(ADDRESS, server, host="evil.example", path="/_stcore/stream", **upgrade) in (400, 403)


def test_it_only_reads(server):
    for method in ("PUT", "POST", "DELETE", "PATCH"):
        assert ask(ADDRESS, server, method=method, path="/_stcore/upload_file/1/2") == 403


def test_it_listens_at_no_other_address(server):
    with pytest.raises(OSError, match="refused"):
        ask("127.0.0.1", server)


STREAMLIT = [sys.executable, "-m", "streamlit", "run", "app.py"]


@pytest.mark.parametrize(
    ("command", "hosts", "said"),
    [
        ([*STREAMLIT, "--server.address", "0.0.0.0"], "", "make class HOST=ADDRESS"),
        ([*STREAMLIT, "--server.address", "0.0.0.0"], ADDRESS, "make class HOST=ADDRESS"),
        ([sys.executable, "app.py"], "0.0.0.0", "`HOST` must be"),
        ([sys.executable, "app.py"], "no-such-host.invalid", "`HOST` must be"),
    ],
)
def test_a_server_for_everybody_does_not_start(command, hosts, said):
    environment = os.environ | {"SIMCLR_CLASS": hosts, "SIMCLR_CLASS_PORT": str(free_port("127.0.0.1"))}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode != 0
    assert said in done.stderr
    assert "Traceback" not in done.stderr
