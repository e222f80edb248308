# SPDX-License-Identifier: Apache-2.0
"""What would speedtest.net answer? A small scripted stand-in, asked as an HTTP proxy for all names.

Its protocol as speedtest-cli 2.1.3 speaks it: configuration and lists of servers as XML, latency.txt,
pictures to download, upload.php. The real one cannot be reached from a test.
"""

from __future__ import annotations

import http.server
import sys
import threading
from collections.abc import Callable
from typing import Any, Self

CONFIG = b"""<?xml version="1.0" encoding="UTF-8"?><settings> <client ip="192.0.2.1" lat="51.1" lon="71.4"
isp="Test" isprating="3.7" rating="0" ispdlavg="0" ispulavg="0" loggedin="0" country="KZ"/> <server-config
threadcount="4" ignoreids="" forcepingid=""/> <times dl1="5000000" dl2="35000000" dl3="800000000"
ul1="1000000" ul2="8000000" ul3="35000000"/> <download testlength="1" initialtest="250K" mintestsize="250K"
threadsperurl="4"/> <upload testlength="1" ratio="5" initialtest="0" mintestsize="32K" threads="2"
maxchunksize="512K" maxchunkcount="50" threadsperurl="4"/> </settings>"""
SERVERS = b"""<?xml version="1.0"
encoding="UTF-8"?><settings><servers> <server url="HERE/speedtest/upload.php" lat="51.2" lon="71.5"
name="Astana" country="Kazakhstan" cc="KZ" sponsor="Test" id="4711" host="HOST"/></servers></settings>"""

Answer = Callable[[str, int], tuple[int, bytes]]
"""Status and body for a path and the length of what was sent."""


def sound(path: str, sent_bytes: int) -> tuple[int, bytes]:
    """As a healthy one answers."""
    if path.startswith("/speedtest-config.php"):
        return 200, CONFIG
    if "speedtest-servers" in path:
        return 200, SERVERS
    if path.startswith("/speedtest/latency.txt"):
        return 200, b"test=test\n"
    if path.startswith("/speedtest/random"):
        return 200, bytes(200_000)
    return (200, f"size={sent_bytes}".encode()) if path.startswith("/speedtest/upload.php") else (404, b"")


PICTURE_BYTES = {
    350: 245_388,
    500: 505_544,
    750: 1_118_012,
    1000: 1_986_284,
    1500: 4_468_241,
    2000: 7_907_740,
    2500: 12_407_926,
    3000: 17_816_816,
    3500: 24_262_167,
    4000: 31_625_365,
}
"""By the width in its name, as the real servers have them."""


def lifelike(path: str, sent_bytes: int) -> tuple[int, bytes]:
    """As `sound`, but tests last ten seconds and pictures are as large as they really are."""
    status, body = sound(path, sent_bytes)
    if path.startswith("/speedtest/random"):
        width = int(path.removeprefix("/speedtest/random").partition("x")[0])
        body = bytes(PICTURE_BYTES[width])
    return status, body.replace(b'testlength="1"', b'testlength="10"')


class SpeedtestNet:
    """Serves on a port of this host while its block lasts."""

    def __init__(self, answer: Answer = sound, host: str = "127.0.0.1", port: int = 0) -> None:
        url = ""

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.0"

            def do_GET(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                left = length
                while left > 0 and (data := self.rfile.read(min(left, 65536))):
                    left -= len(data)
                path = self.path.partition("://")[2].partition("/")[2] or self.path.lstrip("/")
                status, body = answer("/" + path, length)
                body = body.replace(b"HERE", url.encode())
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_POST = do_GET  # noqa: N815 - the name is http.server's

            def log_message(self, *_: Any) -> None:
                """Quietly."""

        self._server = http.server.ThreadingHTTPServer((host, port), Handler)
        self._server.handle_error = lambda *_: None  # type: ignore[method-assign]
        url = self.url = f"http://{host}:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


if __name__ == "__main__":
    with SpeedtestNet(lifelike, sys.argv[1], int(sys.argv[2])):
        threading.Event().wait()
