"""A headless Chromium, driven over its debugging protocol: open a page, evaluate, and see what it complained about."""

from __future__ import annotations

import base64
import itertools
import shutil
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from subprocess import DEVNULL
from typing import Any

import aiohttp
import anyio

PROGRAM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
_FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
    "--hide-scrollbars",
    "--remote-debugging-port=0",
]


class Page:
    """One open tab.

    Attributes:
        trouble: exceptions, console errors and refusals of the security policy, in order.
        requests: addresses that the page asked for, its own aside.
        dialogs: texts of `alert` and its kin.
    """

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.trouble: list[str] = []
        self.requests: list[str] = []
        self.dialogs: list[str] = []
        self._socket = socket
        self._numbers = itertools.count(1)

    async def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send a command and wait for its answer, noting events meanwhile."""
        number = next(self._numbers)
        await self._socket.send_json({"id": number, "method": method, "params": parameters})
        while True:
            message = await self._socket.receive_json(timeout=60)
            if message.get("id") == number:
                assert "error" not in message, message["error"]
                return message["result"]
            self._note(message["method"], message["params"])

    def _note(self, method: str, event: dict[str, Any]) -> None:
        if method == "Runtime.exceptionThrown":
            self.trouble.append(str(event["exceptionDetails"]))
        elif method == "Log.entryAdded" and event["entry"]["level"] == "error":
            self.trouble.append(event["entry"]["text"])
        elif method == "Runtime.consoleAPICalled" and event["type"] == "error":
            self.trouble.append(str(event["args"]))
        elif method == "Network.requestWillBeSent" and not event["request"]["url"].startswith("file:"):
            self.requests.append(event["request"]["url"])
        elif method == "Page.javascriptDialogOpening":
            self.dialogs.append(event["message"])

    async def open(self, path: Path) -> None:
        """Go to a file and wait until it is loaded."""
        for domain in ("Runtime", "Log", "Network", "Page"):
            await self.call(f"{domain}.enable")
        await self.call("Page.navigate", url=path.absolute().as_uri())
        await self.until("document.readyState === 'complete' && typeof main === 'function'")

    async def evaluate(self, code: str) -> Any:
        """The value of an expression in the page; a promise is awaited."""
        found = await self.call("Runtime.evaluate", expression=code, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    async def until(self, code: str, seconds: float = 60) -> None:
        """Wait until an expression is true."""
        waiting = f"new Promise((done) => {{ const look = () => ({code}) ? done(1) : setTimeout(look, 20); look(); }})"
        with anyio.fail_after(seconds):
            await self.evaluate(waiting)

    async def click(self, place: str, number: int = 0) -> None:
        """Click the n-th element of a selector."""
        event = "new MouseEvent('click', {bubbles: true, cancelable: true})"
        await self.evaluate(f"void document.querySelectorAll({place!r})[{number}].dispatchEvent({event})")

    async def press(self, place: str, *keys: str) -> None:
        """Press keys in an element."""
        for key in keys:
            event = f"new KeyboardEvent('keydown', {{key: {key!r}}})"
            await self.evaluate(f"void document.querySelector({place!r}).dispatchEvent({event})")

    async def enter(self, place: str, value: str | int) -> None:
        """Put a value into a field."""
        await self.evaluate(
            f"{{ const field = document.querySelector({place!r}); field.value = {value!r};"
            " for (const kind of ['input', 'change']) field.dispatchEvent(new Event(kind)); }"
        )

    async def count(self, place: str) -> int:
        """How many elements a selector finds."""
        return await self.evaluate(f"document.querySelectorAll({place!r}).length")

    async def text(self, place: str) -> str:
        """What can be read in an element."""
        return await self.evaluate(f"document.querySelector({place!r}).innerText")

    async def size(self, width: int, height: int, *, dark: bool = False, media: str = "") -> None:
        """Set the window's size and the color scheme."""
        await self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        await self.call("Emulation.setEmulatedMedia", media=media, features=[scheme])

    async def picture(self, path: Path, *, whole: bool = True) -> None:
        """Keep a picture of the page as PNG."""
        shot = await self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        await anyio.Path(path).write_bytes(base64.b64decode(shot["data"]))


@asynccontextmanager
async def chromium(folder: Path) -> AsyncGenerator[Page]:
    """A tab of a fresh browser, whose profile is in `folder`."""
    assert PROGRAM is not None
    command = [PROGRAM, *_FLAGS, f"--user-data-dir={folder}", "about:blank"]
    async with AsyncExitStack() as stack:
        process = await stack.enter_async_context(await anyio.open_process(command, stderr=DEVNULL, stdout=DEVNULL))
        stack.callback(process.terminate)
        port = await _port(folder / "DevToolsActivePort")
        session = await stack.enter_async_context(aiohttp.ClientSession())
        async with session.get(f"http://127.0.0.1:{port}/json") as answer:
            tabs = await answer.json(content_type=None)
        address = next(tab["webSocketDebuggerUrl"] for tab in tabs if tab["type"] == "page")
        socket = await stack.enter_async_context(session.ws_connect(address, max_msg_size=0))
        yield Page(socket)


async def _port(path: Path) -> int:
    with anyio.fail_after(30):
        while True:
            if path.exists() and (text := path.read_text()).count("\n"):
                return int(text.split()[0])
            await anyio.sleep(0.02)
