from __future__ import annotations

import http.server
import shutil
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

import diagkit as dk
from diagkit.sources.probes import _explain

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        status = int(self.path.strip("/").partition("?")[0] or 200)
        self.send_response(status)
        self.send_header("Location", "/500")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as made:
        worker = threading.Thread(target=made.serve_forever, daemon=True)
        worker.start()
        yield f"http://127.0.0.1:{made.server_port}"
        made.shutdown()
        worker.join()


@contextmanager
def answering(*pieces: bytes, every_s: float = 0.0) -> Iterator[int]:
    """A server that says this to whoever comes, piece by piece, and closes."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            link, _ = listening.accept()
            with link:
                link.recv(4096)
                for piece in pieces:
                    try:
                        link.sendall(piece)
                    except OSError:
                        return
                    time.sleep(every_s)

        worker = threading.Thread(target=serve, daemon=True)
        worker.start()
        yield listening.getsockname()[1]
        worker.join(timeout=10)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as one:
        return int(one.getsockname()[1])


def row(target: str | dk.Target, **options: Any) -> Any:
    found = dk.probe(target, **options)
    dk.PROBES.check(found)
    return next(found.itertuples())


@pytest.mark.parametrize(
    ("path", "expect", "ok", "status", "detail"),
    [
        ("", None, True, 200, "status 200"),
        ("/204", None, True, 204, "status 204"),
        ("/302", None, True, 302, "status 302"),
        ("/404", None, False, 404, "status 404; less than 400 was expected"),
        ("/503?token=hunter2", 503, True, 503, "status 503"),
        ("/200", 503, False, 200, "status 200; 503 was expected"),
    ],
)
def test_http_with_the_expected_status(
    server: str, path: str, expect: int | None, ok: bool, status: int, detail: str
) -> None:
    found = row(dk.Target(server + path, expect))
    assert (found.ok, found.status, found.detail) == (ok, status, detail)
    assert found.target == server + (path.partition("?")[0] or "/")
    assert (found.kind, found.addresses) == ("http", "127.0.0.1")
    assert 0 <= found.duration_s < 3


@pytest.mark.parametrize(
    ("pieces", "status", "detail"),
    [
        ([b"SSH-2.0-x\r\n"], None, "it listens, and does not speak HTTP"),
        ([], None, "it listens, and does not speak HTTP"),
        ([b"HTTP/1.1 100 Go\r\n\r\nHTTP/1.1 20", b"1 OK\r\n"], 201, "status 201"),
        ([b"HTTP/1.1 103 Hint\r\nLink: x\r\n"], None, "does not speak HTTP"),
        ([b"HTTP/1.1 99999"], None, "does not speak HTTP"),
    ],
)
def test_what_is_said_in_pieces_or_is_no_http(
    pieces: list[bytes], status: int | None, detail: str
) -> None:
    with answering(*pieces, every_s=0.05) as port:
        found = row(f"http://127.0.0.1:{port}")
    assert detail in found.detail
    assert found.ok == (status is not None)
    if status:
        assert found.status == status


def test_a_server_that_drips_is_left_in_time() -> None:
    with answering(*[b"H"] * 30, every_s=0.1) as port:
        start = time.monotonic()
        found = row(f"http://127.0.0.1:{port}", timeout_s=0.4)
        took = time.monotonic() - start
    assert not found.ok
    assert took < 2
    with answering(b"HTTP/1.1 1", every_s=2) as port:
        found = row(f"http://127.0.0.1:{port}", timeout_s=0.3)
    assert (found.ok, found.detail) == (False, "no answer within 0.3 s")


def test_tcp(server: str) -> None:
    found = row(server.replace("http", "tcp"))
    assert (found.ok, found.kind, found.detail) == (True, "tcp", "connected")
    port = free_port()
    found = row(f"localhost:{port}")
    assert (found.ok, found.detail) == (False, "refused: nothing listens there")
    assert found.target == f"tcp://localhost:{port}"


def test_the_clock_is_the_callers(server: str) -> None:
    ticks = iter([10.0, 12.5])
    assert row(server, clock=lambda: next(ticks)).duration_s == 2.5


def test_dns() -> None:
    found = row("dns://localhost")
    assert found.ok
    assert "127.0.0.1" in found.addresses.split() or "::1" in found.addresses.split()
    found = row("dns://no-such-name.invalid", timeout_s=5)
    assert (found.ok, found.addresses) == (False, "")
    assert found.detail in ("the name has no address", "no answer within 5 s")


def test_https_whose_certificate_nobody_trusts(tmp_path: Path) -> None:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl, which makes the certificate, is not installed")
    key, certificate = str(tmp_path / "key.pem"), str(tmp_path / "certificate.pem")
    made = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost"]
    subprocess.run(
        [openssl, *made, "-keyout", key, "-out", certificate],
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            link, _ = listening.accept()
            with link, suppress(OSError):
                context.wrap_socket(link, server_side=True).close()

        worker = threading.Thread(target=serve, daemon=True)
        worker.start()
        found = row(f"https://localhost:{listening.getsockname()[1]}")
        worker.join(timeout=10)
    assert not found.ok
    assert "its certificate is not trusted" in found.detail


def test_tls_where_none_is_spoken(server: str) -> None:
    found = row(server.replace("http", "https"))
    assert not found.ok


def test_postgresql_is_ready_and_has_slots(postgres_url: str) -> None:
    found = row(postgres_url, timeout_s=10)
    assert found.ok, found.detail
    assert found.detail.startswith("ready, a primary; ")
    engine = sa.create_engine(postgres_url, poolclass=sa.NullPool)
    with engine.connect() as one:
        most = int(one.exec_driver_sql("SHOW max_connections").scalar_one())
        kept = int(
            one.exec_driver_sql("SHOW superuser_reserved_connections").scalar_one()
        )
        again = row(postgres_url, timeout_s=10)
    assert again.slots_used == found.slots_used + 1
    assert again.slots_used + again.slots_left == most - kept
    engine.dispose()


def test_postgresql_whose_slots_are_used_up(postgres_url: str) -> None:
    """Real connections of a plain user, until the server has none left for one."""
    admin = sa.create_engine(postgres_url, poolclass=sa.NullPool)
    with admin.begin() as link:
        link.exec_driver_sql("DROP ROLE IF EXISTS plain")
        link.exec_driver_sql("CREATE ROLE plain LOGIN PASSWORD 'hunter2'")
    url = sa.make_url(postgres_url).set(username="plain", password="hunter2")
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    held = []
    try:
        with pytest.raises(sa.exc.OperationalError):
            held.extend(iter(engine.connect, None))
        full = row(url.render_as_string(hide_password=False), timeout_s=10)
        reserved = row(postgres_url, timeout_s=10)
    finally:
        for link in held:
            link.close()
        engine.dispose()
    assert (full.ok, full.slots_left) == (False, 0)
    assert "has no connection left" in full.detail
    assert (reserved.ok, reserved.slots_left) == (False, 0)
    assert reserved.detail.startswith("ready, a primary; 0 of ")
    assert "hunter2" not in str(full)
    with admin.begin() as link:
        link.exec_driver_sql("DROP ROLE plain")
    admin.dispose()


def test_postgresql_that_does_not_answer() -> None:
    url = f"postgresql://me:hunter2@localhost:{free_port()}/shop"
    found = row(url)
    assert not found.ok
    assert found.target == url.replace("me:hunter2@", "")
    assert "hunter2" not in str(found)
    with answering(every_s=0) as port:
        assert not row(f"postgresql://me@127.0.0.1:{port}/x", timeout_s=1).ok


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("tcp://localhost", "names no port"),
        ("gopher://localhost", "no probe is known for gopher://; write"),
        ("htp://localhost", "did you mean 'http' or 'https'"),
        ("tcp://10.0.0.1:80", "10.0.0.1: addresses are asked on loopback alone"),
        ("tcp://[fe80::1]:80", "addresses are asked on loopback alone"),
        ("http://*.example:80", "names no single host"),
        ("tcp://10.0.0.0/8", "addresses are asked on loopback alone"),
        ("tcp://10.0.0.1-9:80", "names no single host"),
        ("tcp://a,b:80", "names no single host"),
        ("tcp://2130706433:80", "names no single host"),
        ("tcp://127.1:80", "names no single host"),
        ("tcp://0x7f.0x1:80", "names no single host"),
        ("tcp://a..b:80", "names no single host"),
        ("tcp://:80", "names no single host"),
        ("", "names no single host"),
        ("tcp://localhost:80-90", "names one port"),
        ("tcp://localhost:99999", "names one port"),
        ("tcp://[x:80", "a target's host has no meaning"),
        ("http://localhost/a\u00e4", "holds a blank or a control"),
        ("http://localhost/a b", "holds a blank or a control"),
        ("postgresql://localhost/x?host=10.0.0.1", "name host and port before"),
        ("postgresql:///x?host=10.0.0.1", "names no single host"),
    ],
)
def test_what_would_be_a_scan_or_has_no_meaning_is_refused(
    target: str, said: str
) -> None:
    with pytest.raises(dk.SettingError, match=said.replace("?", "[?]")):
        dk.probe(target)


def test_too_many_are_a_scan() -> None:
    with pytest.raises(dk.SettingError, match="at most 32 are asked at a time"):
        dk.probe([f"tcp://a{i}.example:80" for i in range(33)])
    with pytest.raises(dk.SettingError, match="9 ports of localhost came; at most 8"):
        dk.probe([f"tcp://localhost:{i}" for i in range(1, 10)])
    with pytest.raises(
        dk.SettingError, match="timeout_s is more than 0 and at most 60"
    ):
        dk.probe("tcp://localhost:1", timeout_s=0)
    with pytest.raises(dk.SettingError, match="expect is a status"):
        dk.Target("http://localhost", 7)
    assert dk.probe([]).empty


def test_a_target_shows_no_password() -> None:
    assert "hunter2" not in repr(dk.Target("postgresql://a:hunter2@db/x"))


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ConnectionResetError(), "the connection was closed before an answer came"),
        (OSError(113, "No route to host"), "no route to host"),
    ],
)
def test_what_a_network_may_say(error: OSError, said: str) -> None:
    assert _explain(error) == said


def test_a_connection_that_is_cut_off() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            link, _ = listening.accept()
            shape = "hh" if sys.platform == "win32" else "ii"
            linger = struct.pack(shape, 1, 0)
            link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            link.close()

        worker = threading.Thread(target=serve, daemon=True)
        worker.start()
        found = row(f"http://127.0.0.1:{listening.getsockname()[1]}")
        worker.join(timeout=10)
    assert not found.ok


def test_without_psutil_listeners_name_the_extra(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "psutil", None)
    with pytest.raises(dk.MissingExtraError, match="diagkit\\[host\\]"):
        dk.read_listeners()


def test_a_system_that_does_not_show_what_listens(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    psutil = pytest.importorskip("psutil")

    def refuse(*_: object, **__: object) -> None:
        raise psutil.AccessDenied

    # What macOS does for users that are not root.
    with monkeypatch.context() as patch:
        patch.setattr(psutil, "net_connections", refuse)
        with pytest.raises(dk.SourceAccessError, match="run it as root"):
            dk.read_listeners()
    monkeypatch.setattr(psutil.Process, "name", refuse)
    assert set(dk.read_listeners()["service"]) <= {""}


def test_listeners_of_this_host() -> None:
    pytest.importorskip("psutil")
    with (
        socket.create_server(("127.0.0.1", 0)) as tcp,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp,
    ):
        udp.bind(("127.0.0.1", 0))
        rows = dk.read_listeners()
        mine = {(t.host_port, str(t.protocol)): t for t in rows.itertuples()}
        one = mine[tcp.getsockname()[1], "tcp"]
        assert (udp.getsockname()[1], "udp") in mine
        with socket.create_connection(tcp.getsockname()) as link:
            port = link.getsockname()[1]
            assert port not in dk.read_listeners()["host_port"].tolist()
    assert (one.stack, one.host_ip, str(one.origin)) == ("host", "127.0.0.1", "host")
    assert one.service
    assert one.source.startswith("process ")
    dk.PORTS.check(rows)
    assert rows["host_port"].is_monotonic_increasing
