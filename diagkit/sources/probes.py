"""Ask the hosts that a person names whether they answer: few, once, and for seconds."""

from __future__ import annotations

import ipaddress
import re
import socket
import ssl
import threading
import time
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from diagkit.errors import DiagkitError, SettingError
from diagkit.frames.probes import PROBES, Target
from diagkit.redaction.text import hide_line, redact_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import pandas as pd

__all__ = ["probe"]

# More than a person names by hand is a scan, and so are many ports of one host.
MOST_TARGETS, MOST_PORTS = 32, 8
LONGEST_S = 60.0
NAME = re.compile(r"[a-z0-9_][a-z0-9_-]{0,62}(?:\.[a-z0-9_][a-z0-9_-]{0,62}){0,8}\.?")
STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})[^\r\n]*\r?\n")
UNSAFE = re.compile(r"[^\x21-\x7e]")
# By these libpq goes to another host than the one that the URL names.
ELSEWHERE = re.compile(r"[?&](?:host|hostaddr|port|service)=")
# A socket of this machine.
SOCKET = re.compile(r"^[\w+]+://[^/?]*/[^/?]*\?host=(?:/|%2F)[^&,]*$", re.IGNORECASE)
# Of those that are none of the superusers, reserved or walsenders; without ourselves.
SLOTS = """
SELECT current_setting('max_connections')::int
     - current_setting('superuser_reserved_connections')::int
     - coalesce(current_setting('reserved_connections', true), '0')::int,
       (SELECT count(*) FROM pg_stat_activity
         WHERE coalesce(backend_type, 'client backend') = 'client backend'
           AND pid <> pg_backend_pid()),
       pg_is_in_recovery()
"""


@dataclass(frozen=True)
class Answer:
    """What a target answered: a row of PROBES."""

    ok: bool
    detail: str
    duration_s: float = 0.0
    status: int | None = None
    addresses: str = ""
    slots_used: int | None = None
    slots_left: int | None = None


def probe(
    targets: str | Target | Iterable[str | Target],
    timeout_s: float = 3.0,
    clock: Callable[[], float] = time.monotonic,
) -> pd.DataFrame:
    """Ask targets whether they answer. Nothing is asked but what is named.

    Parameters
    ----------
    targets
        `Target`, or its text: ``tcp://localhost:8000`` (a connection),
        ``http://localhost:8000/health`` (a GET; redirects are not followed),
        ``postgresql://reader@db/app`` (readiness and connections left, in a read-only
        session), ``dns://db`` (addresses). Hosts are loopback addresses or names.
    timeout_s
        The longest that one target is waited for.
    clock
        What measures the time.

    Returns
    -------
    pandas.DataFrame
        PROBES, a row a target, in order. What does not answer is a row, too.

    Raises
    ------
    SettingError
        If a target has no meaning, names many hosts, or there are too many of them.

    Examples
    --------
    >>> import socket
    >>> server = socket.create_server(("127.0.0.1", 0))
    >>> port = server.getsockname()[1]
    >>> probe(f"tcp://127.0.0.1:{port}")[["kind", "ok"]].values.tolist()
    [['tcp', True]]
    >>> server.close()
    """
    asked = [targets] if isinstance(targets, str | Target) else list(targets)
    checked = [t if isinstance(t, Target) else Target(t) for t in asked]
    if not 0 < timeout_s <= LONGEST_S:
        msg = f"timeout_s is more than 0 and at most {LONGEST_S:g} s; {timeout_s} came"
        raise SettingError(msg)
    _refuse_scan(checked)
    rows = []
    for target in checked:
        start = clock()
        answer = _limit(target, timeout_s)
        took = max(0.0, clock() - start)
        detail = hide_line(answer.detail)
        rows.append((_say(target), target.kind, replace(answer, detail=detail), took))
    return PROBES.build(
        {
            "target": [said for said, *_ in rows],
            "kind": [kind for _, kind, *_ in rows],
            "duration_s": [took for *_, took in rows],
            **{
                name: [getattr(answer, name) for _, _, answer, _ in rows]
                for name in PROBES.names
                if name not in ("target", "kind", "duration_s")
            },
        }
    )


def _refuse_scan(targets: list[Target]) -> None:
    if len(targets) > MOST_TARGETS:
        msg = f"{len(targets)} targets came; at most {MOST_TARGETS} are asked at a time"
        raise SettingError(msg)
    for target in targets:
        if _is_socket(target):
            continue
        _refuse_host(target)
        if target.kind == "tcp" and target.port is None:
            msg = f"{_say(target)}: names no port; write tcp://host:port"
            raise SettingError(msg)
        if target.kind == "http" and UNSAFE.search(target.path):
            msg = (
                f"{_say(target)}: its path holds a blank or a control; write it as %20"
            )
            raise SettingError(msg)
        if target.kind == "postgresql" and ELSEWHERE.search(target.where):
            msg = (
                f"{_say(target)}: name host and port before the database, not after '?'"
            )
            raise SettingError(msg)
    places = {(target.host, target.port) for target in targets}
    for host, count in Counter(host for host, _ in places).items():
        if count > MOST_PORTS:
            msg = f"{count} ports of {host} came; at most {MOST_PORTS} are asked of one"
            raise SettingError(msg)


def _is_socket(target: Target) -> bool:
    named = SOCKET.match(target.where.strip())
    return target.kind == "postgresql" and not target.host and named is not None


def _refuse_host(target: Target) -> None:
    """Refuse what is neither one name nor a loopback address."""
    host = target.host
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        last = host.rstrip(".").rpartition(".")[2]
        # 2130706433, 127.1 and 0x7f.1 are addresses to a resolver, and no names.
        if NAME.fullmatch(host) and not re.fullmatch(r"[\d-]+|0x[0-9a-f]*", last):
            return
        msg = (
            f"{target.scheme}://…: names no single host; wildcards, ranges and lists "
            "are not asked"
        )
        raise SettingError(msg) from None
    if not address.is_loopback:
        msg = (
            f"{host}: addresses are asked on loopback alone; name the host in its place"
        )
        raise SettingError(msg)


def _say(target: Target) -> str:
    """Return what a row calls a target: no user, no password, no query."""
    path = (
        target.path.partition("?")[0] if target.kind in ("http", "postgresql") else ""
    )
    return redact_text(f"{target.scheme}://{_place(target)}{path}").text


def _place(target: Target) -> str:
    host = f"[{target.host}]" if ":" in target.host else target.host or "localhost"
    port = f":{target.port}" if target.port and target.kind != "dns" else ""
    return f"{host}{port}"


def _limit(target: Target, timeout_s: float) -> Answer:
    """Wait for an answer no longer than is allowed, whatever a resolver does."""
    answers: list[Answer] = []

    def ask() -> None:
        try:
            answers.append(ASK[target.kind](target, timeout_s))
        except DiagkitError as error:
            answers.append(_refused(str(error)))
        except ssl.SSLCertVerificationError as error:
            said = f"its certificate is not trusted ({error.verify_message})"
            answers.append(Answer(False, said))
        except TimeoutError:
            answers.append(Answer(False, _late(timeout_s)))
        except OSError as error:
            answers.append(Answer(False, _explain(error)))

    worker = threading.Thread(target=ask, name="diagkit-probe", daemon=True)
    worker.start()
    worker.join(timeout_s + 0.2)
    return answers[0] if answers else Answer(False, _late(timeout_s))


def _late(timeout_s: float) -> str:
    return f"no answer within {timeout_s:g} s"


def _explain(error: OSError) -> str:
    if isinstance(error, socket.gaierror):
        return "the name has no address"
    if isinstance(error, ConnectionRefusedError):
        return "refused: nothing listens there"
    if isinstance(error, ConnectionError):
        return "the connection was closed before an answer came"
    return (error.strerror or type(error).__name__).lower()


def _refused(said: str) -> Answer:
    """Read a database's refusal: no connection left is an answer of its own."""
    full = "has no connection left" in said
    return Answer(False, said, slots_left=0 if full else None)


def _ask_tcp(target: Target, timeout_s: float) -> Answer:
    with socket.create_connection((target.host, target.port or 0), timeout_s) as link:
        return Answer(True, "connected", addresses=str(link.getpeername()[0]))


def _ask_dns(target: Target, timeout_s: float) -> Answer:
    found = socket.getaddrinfo(target.host, None, type=socket.SOCK_STREAM)
    addresses = sorted({str(entry[4][0]) for entry in found})
    return Answer(True, f"{len(addresses)} addresses", addresses=" ".join(addresses))


def _ask_http(target: Target, timeout_s: float) -> Answer:
    """Send a GET and read no more than its status."""
    until = time.monotonic() + timeout_s
    with socket.create_connection((target.host, target.port or 80), timeout_s) as plain:
        if target.scheme == "https":
            context = ssl.create_default_context()
            link: socket.socket = context.wrap_socket(
                plain, server_hostname=target.host
            )
        else:
            link = plain
        with link:
            peer = str(link.getpeername()[0])
            host = _place(target)
            link.sendall(
                f"GET {target.path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: diagkit\r\n"
                "Accept: */*\r\nConnection: close\r\n\r\n".encode("ascii")
            )
            status = _read_status(link, until)
    if status is None:
        return Answer(False, "it listens, and does not speak HTTP", addresses=peer)
    wanted = target.expect
    ok = status == wanted if wanted else status < 400
    expected = f"; {wanted or 'less than 400'} was expected" if not ok else ""
    return Answer(ok, f"status {status}{expected}", status=status, addresses=peer)


def _read_status(link: socket.socket, until: float) -> int | None:
    """Read the first status that is final; None for what is no HTTP."""
    data = b""
    while len(data) < 65_536:
        left = until - time.monotonic()
        if left <= 0:
            raise TimeoutError
        link.settimeout(left)
        piece = link.recv(4096)
        data += piece
        while found := STATUS.match(data):
            status = int(found[1])
            if status >= 200:
                return status
            # 100 and 103 are followed by the answer.
            end = data.find(b"\r\n\r\n")
            if end < 0:
                break
            data = data[end + 4 :]
        if not piece or (len(data) > 8 and not data.startswith(b"HTTP/1.")):
            return None
    return None


def _ask_postgresql(target: Target, timeout_s: float) -> Answer:
    from diagkit.sources.databases import open_readonly

    where = target.where.strip()
    if "connect_timeout=" not in where:
        mark = "&" if "?" in where else "?"
        where = f"{where}{mark}connect_timeout={max(2, round(timeout_s))}"
    with open_readonly(where) as connection:
        most, used, standby = connection.exec_driver_sql(SLOTS).one()
    left = max(0, int(most) - int(used))
    role = "a standby" if standby else "a primary"
    return Answer(
        left > 0,
        f"ready, {role}; {left} of {most} connections left",
        slots_used=int(used),
        slots_left=left,
    )


ASK: dict[str, Callable[[Target, float], Answer]] = {
    "dns": _ask_dns,
    "http": _ask_http,
    "postgresql": _ask_postgresql,
    "tcp": _ask_tcp,
}
