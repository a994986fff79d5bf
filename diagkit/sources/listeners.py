"""What listens on this host now, to PORTS."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

from diagkit.errors import MissingExtraError, SourceAccessError
from diagkit.frames.ports import PORTS

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["HOST", "read_listeners"]

# The stack's name of what no stack publishes.
HOST = "host"


def read_listeners() -> pd.DataFrame:
    """List the ports of this machine on which something listens.

    Returns
    -------
    pandas.DataFrame
        PORTS with the origin ``host``, by port: TCP sockets that listen and UDP sockets
        that are bound. ``service`` is the process's name and ``source`` its id, where
        this user may see them.

    Raises
    ------
    MissingExtraError
        If psutil is not installed.
    SourceAccessError
        If the system does not let this user look (macOS asks for root).

    Examples
    --------
    >>> import socket
    >>> server = socket.create_server(("127.0.0.1", 0))
    >>> rows = read_listeners().set_index("host_port")
    >>> rows.loc[server.getsockname()[1], "host_ip"]
    '127.0.0.1'
    >>> server.close()
    """
    try:
        import psutil
    except ImportError:
        msg = 'the ports of this host need psutil: pip install "diagkit[host]"'
        raise MissingExtraError(msg) from None
    try:
        found = psutil.net_connections(kind="inet")
    except (psutil.Error, OSError):
        msg = "the system does not show this user what listens: run it as root"
        raise SourceAccessError(msg) from None
    rows = {row for one in found if (row := _read(one, psutil)) is not None}
    ordered = sorted(rows, key=lambda row: (row[3], *map(str, row)))
    columns = zip(*ordered, strict=True) if ordered else [[] for _ in PORTS.names[:8]]
    return PORTS.build(dict(zip(PORTS.names[:8], columns, strict=True)))


def _read(one: Any, psutil: Any) -> tuple[Any, ...] | None:
    tcp = one.type == socket.SOCK_STREAM
    if not one.laddr or (one.status != psutil.CONN_LISTEN if tcp else one.raddr):
        return None
    address = one.laddr.ip.partition("%")[0]
    pid = f"process {one.pid}" if one.pid else ""
    name = _name(one.pid, psutil) if one.pid else ""
    protocol = "tcp" if tcp else "udp"
    return HOST, name, address, one.laddr.port, None, protocol, "host", pid


def _name(pid: int, psutil: Any) -> str:
    try:
        return str(psutil.Process(pid).name())
    except psutil.Error:
        return ""
