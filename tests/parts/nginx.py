# SPDX-License-Identifier: Apache-2.0
"""How does InfluxDB 1.x understand a client of InfluxDB 2? nginx rewrites the path and checks the token."""

from __future__ import annotations

from pathlib import Path

from tests.parts.program import Program, find

CONFIG = """\
daemon off;
master_process off;
pid {directory}/nginx.pid;
error_log stderr;
events {{}}
http {{
    access_log {directory}/access.log;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    client_max_body_size {max_body};
    map $arg_precision $v1_precision {{ default n; us u; ms ms; s s; }}
    map $http_authorization $is_allowed {{ default 0; "Token {token}" 1; }}
    server {{
        listen 127.0.0.1:{port};
        location = /api/v2/write {{
            if ($is_allowed = 0) {{
                return 401 '{{"code":"unauthorized","message":"unauthorized access"}}';
            }}
            rewrite ^ /write?db=$arg_bucket&precision=$v1_precision? break;
            proxy_pass http://127.0.0.1:{upstream_port};
        }}
        location = /query {{ proxy_pass http://127.0.0.1:{upstream_port}; }}
        location = /ping {{ proxy_pass http://127.0.0.1:{upstream_port}; }}
    }}
}}
"""


class InfluxShim(Program):
    """nginx before an InfluxDB 1.x, answering `/api/v2/write` to whoever has the token."""

    name = "nginx"

    def __init__(self, directory: Path, upstream_port: int, *, token: str, max_body: str = "30m") -> None:
        super().__init__(directory)
        self.token = token
        self._upstream_port = upstream_port
        self._max_body = max_body

    def command(self) -> list[str]:
        """One foreground process."""
        config = self.directory / "nginx.conf"
        config.write_text(
            CONFIG.format(
                port=self.port,
                upstream_port=self._upstream_port,
                directory=self.directory,
                token=self.token,
                max_body=self._max_body,
            )
        )
        return [find("nginx"), "-p", str(self.directory), "-c", str(config)]
