"""The smallest client of an ASGI app: one request, one answer, no network and no further package."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote


@dataclass(frozen=True)
class Answer:
    status_code: int
    headers: dict[str, str]
    content: bytes

    @property
    def text(self) -> str:
        return self.content.decode()


class Client:
    """Ask an ASGI app: `Client(app).get("/path?x=1", host="evil.example")`."""

    def __init__(self, app: Any, host: str = "127.0.0.1") -> None:
        self.app, self.host = app, host

    def get(self, url: str, *, method: str = "GET", host: str | None = None) -> Answer:
        # In a thread of its own: a browser driven in this process keeps an event loop running in the main one.
        with ThreadPoolExecutor(1) as thread:
            return thread.submit(asyncio.run, self._ask(url, method, host or self.host)).result()

    async def _ask(self, url: str, method: str, host: str) -> Answer:
        path, _, query = url.partition("?")
        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "http",
            "path": unquote(path), "raw_path": path.encode(), "query_string": query.encode(), "root_path": "",
            "headers": [(b"host", host.encode())], "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80),
        }  # fmt: skip
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        await self.app(scope, receive, send)
        head = next(m for m in sent if m["type"] == "http.response.start")
        body = b"".join(m.get("body", b"") for m in sent if m["type"] == "http.response.body")
        return Answer(head["status"], {k.decode(): v.decode() for k, v in head["headers"]}, body)
