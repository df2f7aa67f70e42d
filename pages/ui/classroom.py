"""Open to a class: other machines may look, nobody may change anything. `make class HOST=…` alone turns it on.

`SIMCLR_CLASS` names the hosts, the first being the address that is listened at. Then every start of a job, every write,
upload and typed path is refused where it would be done, and below that by the interpreter itself (`wall`). Without it
the app serves this machine alone, whatever address it is told.
"""

from __future__ import annotations

import ipaddress
import os
import re
import socket
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import streamlit as st
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from pages.ui.text import t
from simclr_core.errors import ConfigError, RunError, sentence

HOSTS, PORT, USUAL_PORT = "SIMCLR_CLASS", "SIMCLR_CLASS_PORT", "8501"
LOCAL = ("127.0.0.1", "localhost")
READING = ("GET", "HEAD", "OPTIONS")
NAME = re.compile(r"(?!-)[a-z0-9-]{1,63}(\.(?!-)[a-z0-9-]{1,63})*", re.ASCII)
LONGEST = 253


# -- which hosts ---------------------------------------------------------------------------------------------------------
def read_only() -> bool:
    """Whether the app is open to a class."""
    return bool(os.environ.get(HOSTS, "").strip())


def hosts() -> list[str]:
    """The hosts that requests may name: those of the class, else this machine's own.

    Raises:
        ConfigError: a host of the class is no plain name or IPv4 address, or stands for many (`*`, 0.0.0.0).
    """
    asked = [part.strip().lower() for part in os.environ.get(HOSTS, "").split(",") if part.strip()]
    for host in asked:
        if not NAME.fullmatch(host) or len(host) > LONGEST or _many(host):
            rule = "names or IPv4 addresses of this machine, joined by commas"
            raise ConfigError(sentence("HOST", rule, host, "write it as in HOST=192.168.1.10"))
    return asked or list(LOCAL)


def _many(host: str) -> bool:
    """Whether an address stands for every interface or for a group; a name of digits alone is no address at all."""
    try:
        address = ipaddress.IPv4Address(host)
    except ValueError:
        return host.replace(".", "").isdigit()
    return address.is_unspecified or address.is_multicast or host == "255.255.255.255"


def port() -> int:
    """The port that is listened at for a class; `ConfigError` where it is none that a person may open."""
    asked = os.environ.get(PORT, "").strip() or USUAL_PORT
    if not re.fullmatch(r"\d{4,5}", asked, re.ASCII) or not 1024 <= int(asked) <= 65_535:
        raise ConfigError(sentence("PORT", "a number from 1024 to 65535", asked, "leave it out for 8501"))
    return int(asked)


def check_address(address: str | None) -> None:
    """Refuse an address of the server's settings that is not this machine's own: `ConfigError`."""
    if address not in (*LOCAL, "::1"):
        remedy = "others reach the app by `make class HOST=ADDRESS` only, and may then only look"
        raise ConfigError(sentence("server.address", f"one of {', '.join(LOCAL)}", address, remedy))


def _listened(host: str) -> frozenset[str]:
    """The numeric addresses of the host that is listened at; `ConfigError` where it has none."""
    try:
        return frozenset(str(info[4][0]) for info in socket.getaddrinfo(host, None))
    except OSError:
        raise ConfigError(sentence("HOST", "a host with an address", host, "check its spelling")) from None


def options() -> dict[str, Any]:
    """Settings of the server for a class; none otherwise."""
    if not read_only():
        return {}
    _listened(hosts()[0])  # a name that nobody knows is told now, not by the first visitor
    return {
        "server.address": hosts()[0],
        "server.port": port(),
        "server.allowedHosts": hosts(),
        "browser.serverAddress": hosts()[0],
        "client.showErrorDetails": "none",  # a bug's traceback names files
    }


class Door:
    """Refuse connections at an address that nobody chose, whatever server runs the app; and, for a class, all but reading."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.chosen = _listened(hosts()[0]) if read_only() else frozenset()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket") and (said := self.refusal(scope)):
            await PlainTextResponse(said, status_code=403)(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    def refusal(self, scope: Scope) -> str:
        """Why a request is not answered, or ""."""
        address = (scope.get("server") or ("",))[0]
        if not (address in self.chosen if read_only() else _is_loopback(address)):
            return sentence("server.address", "the chosen one", address, "use `make class HOST=ADDRESS`")
        if read_only() and scope.get("method", "GET") not in READING:
            return sentence("method", "one that only reads", scope["method"], "this app is open to a class")
        return ""


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


# -- what is refused -------------------------------------------------------------------------------------------------------
def refuse(what: str) -> None:
    """Call it where something would be changed: `RunError` in an app that is open to a class."""
    if read_only():
        rule = "done in the teacher's own app"
        raise RunError(sentence("change", rule, what, "this app is open to a class, where one may only look"))


def closed() -> bool:
    """For a part of a page that changes something: whether it is closed, and if so that it says so."""
    if read_only():
        st.info(t("class.closed"), icon=":material/lock:")
    return read_only()


class Refused(RunError, PermissionError):
    """What `wall` raises: told as a sentence by a page, handled as any refused write by a library."""


CHANGES = frozenset(
    (
        "os.mkdir",
        "os.rename",
        "os.remove",
        "os.rmdir",
        "os.link",
        "os.symlink",
        "os.truncate",
        "os.chmod",
        "shutil.rmtree",
    )
)
STARTS = frozenset(("subprocess.Popen", "os.system", "os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn"))
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


def wall(folders: Iterable[Path]) -> None:
    """From now on this process starts no other and changes nothing in these folders: `Refused`.

    It holds for every library and every page, also for one that forgets to ask. It cannot be taken away again.
    """
    sys.dont_write_bytecode = True
    sys.addaudithook(_watch(tuple(str(folder.resolve()) for folder in folders)))


def _watch(kept: tuple[str, ...]) -> Callable[[str, tuple[Any, ...]], None]:
    def inside(path: Any) -> bool:
        if not isinstance(path, (str, bytes, os.PathLike)):
            return False
        real = os.path.realpath(os.fsdecode(path))
        return any(real == folder or real.startswith(folder + os.sep) for folder in kept)

    def hook(event: str, args: tuple[Any, ...]) -> None:
        writes = (event == "open" and args[2] & WRITING) or event in CHANGES
        if event in STARTS or (writes and any(map(inside, args[:2]))):
            raise Refused(sentence("change", "done in the teacher's own app", event, "this app is open to a class"))

    return hook


# -- what is not shown -----------------------------------------------------------------------------------------------------
QUOTED = re.compile(r"""(['"`])(?:[\w+]+:)?(?:~|/)[^'"`]*?([^/'"`]*)/?\1""")
BARE = re.compile(r"(?<![\w/.)τ])(?:~|\.{1,2})?/(?:[^\s/'\"`,;:]+/)+([^\s/'\"`,;:]*)")


def public(said: object) -> str:
    """An error or a sentence as a class may read it: of every path only its last part. As it is in the teacher's own app."""
    return BARE.sub(r"…/\1", QUOTED.sub(r"\1…/\2\1", str(said))) if read_only() else str(said)


def source(spec: str) -> str:
    """A source of pictures as a class may read it: "folder:/home/me/cats" is "folder:…/cats"."""
    kind, _, path = spec.partition(":")
    return f"{kind}:…/{Path(path).name}" if read_only() and path else spec
