from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, strategies as st

import diagkit as dk
from diagkit.sources.proxies import read_proxy

if TYPE_CHECKING:
    from pathlib import Path

WHOLE = """
# proxy_pass http://commented:1;
events {}
http {
  upstream app {
    least_conn;
    server api-1:8000 weight=3;
    server api-2 max_fails=1;
    server api-3:8000 down;
    server unix:/run/app.sock;
  }
  log_format x '$remote_addr "proxy_pass http://quoted:1;" {';
  server {
    listen 80 default_server;
    listen [::]:8443 ssl;
    listen unix:/run/x.sock;
    set $backend "http://late:9000";
    location /a { proxy_pass http://app/v1; }
    location /b { proxy_pass $backend; }
    location /c { proxy_pass http://${API_HOST}:${API_PORT}/; }
    location /d { proxy_pass https://[::1]; }
    location /e { fastcgi_pass php:9000; }
    location /f { grpc_pass grpc://grpc:50051; }
    location /g { proxy_pass http://$host$request_uri; }
    location /h { proxy_pass http://unix:/run/app.sock; }
  }
}
stream { server { listen 5432; proxy_pass db:5432; } }
"""


def test_what_an_nginx_configuration_passes_on() -> None:
    found = read_proxy(WHOLE, "n.conf", {"API_HOST": "api", "API_PORT": "8000"})
    said = [(r.name, r.scheme, r.host, r.port, r.place) for r in found.references]
    assert said == [
        ("proxy_pass", "http", "api-1", 8000, "n.conf:7"),
        ("proxy_pass", "http", "api-2", 80, "n.conf:8"),
        ("proxy_pass", "http", "late", 9000, "n.conf:19"),
        ("proxy_pass", "http", "api", 8000, "n.conf:20"),
        ("proxy_pass", "https", "::1", 443, "n.conf:21"),
        ("fastcgi_pass", "fastcgi", "php", 9000, "n.conf:22"),
        ("grpc_pass", "grpc", "grpc", 50051, "n.conf:23"),
        ("proxy_pass", "tcp", "db", 5432, "n.conf:28"),
    ]
    assert found.listens == [80, 8443, 5432]


@given(st.text(alphabet="{};\"'\\#$ \nproxy_pass upstream server:80a/", max_size=200))
def test_no_text_is_an_error(text: str) -> None:
    for one in read_proxy(text, "n.conf").references:
        assert one.host


def test_what_is_no_variable_is_left_out() -> None:
    text = "location / { proxy_pass http://$5x:1; }" + "a;" * 200_001
    assert read_proxy(text + "proxy_pass http://late:1;", "n.conf").references == []


def test_brackets_that_do_not_match_are_read_past() -> None:
    text = "} } server { location / { proxy_pass http://a:1; } } } }"
    assert [r.host for r in read_proxy(text, "n.conf").references] == ["a"]


STACK = """
services:
  web: {image: "nginx:1", ports: ["80:80"], volumes: %s, environment: {API: api}}
  built: {build: ./gateway, ports: ["81:80"]}
  api: {image: x}
"""
PASS = "server { listen 80; location / { proxy_pass http://%s:8000; } }"


def read(folder: Path, volumes: str) -> list[tuple[str, str, str]]:
    (folder / "compose.yaml").write_text(STACK % volumes)
    found = dk.read_compose(folder / "compose.yaml").references
    columns = ("service", "host", "source")
    return list(zip(*(found[name] for name in columns), strict=True))


@pytest.mark.parametrize(
    ("volumes", "file", "owner"),
    [
        ("['./conf:/etc/nginx/conf.d:ro']", "conf/x.conf", "web"),
        ("['./x.txt:/etc/nginx/nginx.conf']", "x.txt", "web"),
        (
            "[{type: bind, source: ./x.txt, target: /etc/nginx/nginx.conf}]",
            "x.txt",
            "web",
        ),
        ("[]", "nginx.conf", "web"),
        ("[]", "nginx/templates/default.conf.template", "web"),
        ("[]", "gateway/nginx.conf", "built"),
        ("['named:/etc/nginx', './no:/etc/nginx/no']", "nginx.conf", "web"),
    ],
)
def test_whose_configuration_it_is(
    tmp_path: Path, volumes: str, file: str, owner: str
) -> None:
    (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / file).write_text(PASS % "api")
    (tmp_path / "other.conf").write_text("nothing = here\n")
    (tmp_path / "odd.conf").write_bytes(b"\x89PNG" + bytes(300))
    assert read(tmp_path, volumes) == [(owner, "api", f"{file}:1")]


def test_a_template_takes_the_variables_of_its_container(tmp_path: Path) -> None:
    (tmp_path / "default.conf.template").write_text(PASS % "${API}")
    assert read(tmp_path, "[]") == [("web", "api", "default.conf.template:1")]


def test_a_configuration_that_is_no_text_is_noted(tmp_path: Path) -> None:
    (tmp_path / "x.conf").write_bytes(b"\x89PNG" + bytes(300))
    (tmp_path / "compose.yaml").write_text(STACK % "['./x.conf:/etc/nginx/x.conf']")
    found = dk.read_compose(tmp_path)
    assert found.notes["text"].tolist() == ["x.conf: is no text in UTF-8 or UTF-16"]


def test_a_configuration_away_from_the_stacks_is_that_of_the_host(
    tmp_path: Path,
) -> None:
    (tmp_path / "stack").mkdir()
    (tmp_path / "stack/compose.yaml").write_text("services: {api: {image: x}}")
    (tmp_path / "site").mkdir()
    (tmp_path / "site/shop.conf").write_text(PASS % "localhost")
    incident = dk.open_incident(tmp_path)
    assert incident.contents["kind"].tolist() == ["proxy", "compose"]
    row = incident.ports.references.iloc[0]
    assert row[["stack", "service", "host"]].tolist() == ["", "", "localhost"]
    summaries = dk.rank_findings(incident)["summary"].tolist()
    assert any("a proxy uses port 8000 of the host" in s for s in summaries)
