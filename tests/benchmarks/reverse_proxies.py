"""The reverse proxies that are measured side by side, each a process: our gateway, nginx, HAProxy, a floor.

All do the same: what comes for ``/web-socket/…`` goes to one upstream as ``/…``, WebSockets included,
with one worker, no log and kept upstream connections (HTTP) as far as the proxy can.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path

from cli.packages import SYSTEM_NEEDS, find_program, install_line

from .loops import loop_factories

NGINX = "nginx"
HAPROXY = "HAProxy"
_PROGRAM = f"{__package__}.gateway_proxy"
_ROOT = Path(__file__).resolve().parents[2]
_NGINX = """
daemon off; master_process off; pid {folder}/pid; error_log {folder}/log crit;
events {{ worker_connections 8192; }}
http {{
  access_log off; client_body_temp_path {folder}/a; proxy_temp_path {folder}/b;
  fastcgi_temp_path {folder}/c; uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e;
  keepalive_requests 1000000000;
  map $http_upgrade $upgrading {{ default Upgrade; "" ""; }}
  upstream there {{ server 127.0.0.1:{upstream}; keepalive 100; keepalive_requests 1000000000; }}
  server {{
    listen {host}:{port} backlog=2048;
    location /web-socket/ {{
      proxy_pass http://there/; proxy_http_version 1.1; proxy_read_timeout 1h;
      proxy_set_header Host 127.0.0.1:{upstream};
      proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $upgrading;
    }}
  }}
}}
"""
_HAPROXY = """
global
  nbthread 1
  maxconn 4096
defaults
  mode http
  timeout connect 2s
  timeout client 1h
  timeout server 1h
  timeout tunnel 1h
  http-reuse always
frontend here
  bind {host}:{port} backlog 2048
  default_backend there
backend there
  http-request replace-path /web-socket/(.*) /\\1
  server one 127.0.0.1:{upstream}
"""


class ProxyProcess:
    """A running proxy.

    Attributes:
        pid: Of the one process that does the work.
        port: Where it listens on loopback; upstream's own for what stands for no proxy at all.
    """

    def __init__(self, pid: int, port: int) -> None:
        self.pid = pid
        self.port = port


def gateway_on(loop: str) -> str:
    """The name of our gateway on that loop."""
    return f"gateway on {loop}"


def floor_on(loop: str) -> str:
    """The name of the floor: two protocols that write what the other reads."""
    return f"bare splice on {loop}"


def proxy_names() -> list[str]:
    """Those that can be measured here; says on standard error which cannot."""
    loops = list(loop_factories())
    names = [floor_on(loops[0]), *map(gateway_on, loops)]
    for name in (NGINX, HAPROXY):
        need = SYSTEM_NEEDS[name.lower()]
        if need.missing():
            sys.stderr.write(f"without {name}, which is not here: {install_line(need.packages)}\n")
        else:
            names.append(name)
    return names


@asynccontextmanager
async def running(name: str, upstream: int, host: str = "127.0.0.1") -> AsyncGenerator[ProxyProcess]:
    """Start the proxy of that name (one of :func:`proxy_names`) before an upstream on loopback.

    nginx and HAProxy can listen on another address than that: ``0.0.0.0`` for all.
    """
    async with AsyncExitStack() as stack:
        if name in (NGINX, HAPROXY):
            yield await _start_foreign(stack, name, upstream, host)
        else:
            kind = "gateway" if name.startswith("gateway") else "bare"
            yield await _start_ours(stack, kind, name.rpartition(" ")[2], upstream)


async def _start_ours(stack: AsyncExitStack, kind: str, loop: str, upstream: int) -> ProxyProcess:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", _PROGRAM, kind, loop, str(upstream)),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=_ROOT,
    )
    stack.push_async_callback(_end, process)
    assert process.stdout is not None
    return ProxyProcess(process.pid, int(await process.stdout.readline()))


async def _start_foreign(stack: AsyncExitStack, name: str, upstream: int, host: str) -> ProxyProcess:
    program = find_program(name.lower())
    assert program is not None, f"{name} was found a moment ago"
    folder = stack.enter_context(tempfile.TemporaryDirectory())
    port = await _free_port()
    config = Path(folder) / "config"
    text = _NGINX if name == NGINX else _HAPROXY
    config.write_text(text.format(folder=folder, host=host, port=port, upstream=upstream), "utf-8")
    words = ("-p", folder, "-c", str(config)) if name == NGINX else ("-db", "-f", str(config))
    process = await asyncio.create_subprocess_exec(program, *words, stderr=subprocess.DEVNULL)
    stack.push_async_callback(_end, process)
    await _until_listening(port, process)
    return ProxyProcess(process.pid, port)


async def _end(process: asyncio.subprocess.Process) -> None:
    with suppress(ProcessLookupError):
        process.kill()
    await process.wait()


async def _free_port() -> int:
    server = await asyncio.start_server(lambda r, w: None, "127.0.0.1", 0)
    port = int(server.sockets[0].getsockname()[1])
    server.close()
    await server.wait_closed()
    return port


async def _until_listening(port: int, process: asyncio.subprocess.Process) -> None:
    async with asyncio.timeout(10):
        while True:
            if process.returncode is not None:
                raise RuntimeError(f"the proxy on port {port} ended with exit code {process.returncode}")
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.02)
                continue
            writer.close()
            return
