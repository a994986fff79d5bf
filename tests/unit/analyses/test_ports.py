from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
from hypothesis import given, strategies as st

import diagkit as dk
from diagkit.analyses.stacks import overlap

if TYPE_CHECKING:
    from pathlib import Path


def read(tmp_path: Path, **stacks: str) -> dk.Ports:
    for name, text in stacks.items():
        (tmp_path / name).mkdir(parents=True, exist_ok=True)
        (tmp_path / name / "compose.yaml").write_text(text, encoding="utf-8")
    return dk.read_compose(tmp_path)


def audit(tmp_path: Path, targets: tuple[str, ...] = (), **stacks: str) -> pd.DataFrame:
    found = dk.audit_ports(read(tmp_path, **stacks), targets=targets)
    assert found["id"].is_unique
    return found


def of(findings: pd.DataFrame, code: str) -> list[tuple[str, str]]:
    rows = findings[findings["code"] == code]
    return list(zip(rows["severity"].astype(str), rows["summary"], strict=True))


def codes(findings: pd.DataFrame) -> set[str]:
    """What is found besides missing health checks."""
    return set(findings["code"]) - {"no_healthcheck"}


INSIDE = """
services:
  a: {image: x, ports: ["9100-9102:9100-9102"]}
  b: {image: x, ports: [{target: 80, published: "9101", protocol: tcp}]}
  c: {image: x, ports: ["127.0.0.1:7000:1", "7001:1/udp"]}
  d: {image: x, ports: ["127.0.0.2:7000:1", "7001:1/tcp"]}
  e: {image: x, profiles: [one], ports: ["7100:1"]}
  f: {image: x, profiles: [two], ports: ["7100:1"]}
  g: {image: x, ports: ["0.0.0.0:7200:1"]}
  h: {image: x, ports: ["127.0.0.1:7200:1"]}
  i: {image: x, ports: ["0.0.0.0:7300:1"]}
  j: {image: x, ports: ["[::]:7300:1"]}
  k: {image: x, network_mode: host, ports: ["7000:1"]}
  l: {image: x, profiles: [one], ports: ["7400:1"]}
  m: {image: x, ports: ["7400:1"]}
"""


def test_conflicts_inside_of_a_stack(tmp_path: Path) -> None:
    found = audit(tmp_path, s=INSIDE)
    assert of(found, "port_conflict") == [
        (
            "high",
            "s/a and s/b both publish tcp port 9101 of the host: one cannot start",
        ),
        (
            "high",
            "s/g and s/h both publish tcp port 7200 of the host: one cannot start",
        ),
        (
            "high",
            "s/l and s/m both publish tcp port 7400 of the host: one cannot start",
        ),
    ]
    evidence = found.set_index("summary")["evidence"]
    assert evidence.iloc[0] == (
        "s/a: 9101 (s/compose.yaml:3); s/b: 9101 (s/compose.yaml:4)"
    )
    assert evidence.iloc[2].endswith("; with the profile one")
    assert codes(found) == {"port_conflict"}


def test_neighbouring_ports_are_one_finding(tmp_path: Path) -> None:
    text = service(a="1-3:1-3", b="2-9:2-9")
    assert of(audit(tmp_path, s=text), "port_conflict") == [
        ("high", "s/a and s/b both publish tcp ports 2-3 of the host: one cannot start")
    ]


def service(**names: str) -> str:
    lines = [f"  {n}: {{image: x, ports: ['{p}']}}\n" for n, p in names.items()]
    return "services:\n" + "".join(lines)


def test_many_on_one_port_are_each_told_once(tmp_path: Path) -> None:
    found = audit(tmp_path, s=service(**{f"s{i:02}": "80:1" for i in range(40)}))
    assert len(of(found, "port_conflict")) == 39


def test_conflicts_across_stacks(tmp_path: Path) -> None:
    found = audit(tmp_path, shop=service(api="8000:1"), mail=service(smtp="8000:1"))
    assert of(found, "port_conflict") == [
        (
            "medium",
            "mail/smtp and shop/api both publish tcp port 8000 of the host: they "
            "cannot run on one host",
        )
    ]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("dev", service(api="8000:1")), ("prod", service(api="8000:1"))),
        (
            ("a", service(api="8000:1", web="1:1")),
            ("b", service(api="8000:1", web="1:1")),
        ),
    ],
)
def test_two_forms_of_one_project_may_share_a_port(
    tmp_path: Path, one: tuple[str, str], other: tuple[str, str]
) -> None:
    found = audit(tmp_path, **dict([one, other]))
    assert not of(found, "port_conflict")
    assert {severity for severity, _ in of(found, "shared_port")} == {"info"}
    assert "two forms of one project" in of(found, "shared_port")[0][1]


def test_one_common_name_does_not_make_two_forms(tmp_path: Path) -> None:
    found = audit(tmp_path, shop=service(web="80:1"), blog=service(web="80:1"))
    assert len(of(found, "port_conflict")) == 1


@pytest.mark.parametrize(
    ("text", "code", "severity"),
    [
        ("a: {image: x, ports: ['1:1'], scale: 2}", "port_conflict", "high"),
        ("a: {image: x, ports: ['1-2:1'], scale: 2}", "", ""),
        ("a: {image: x, ports: ['1-2:1']}, b: {image: x, ports: ['2:1']}",
         "port_contention", "low"),
        ("a: {image: x, ports: ['1-2:1'], scale: 2}, b: {image: x, ports: ['2:1']}",
         "port_conflict", "high"),
        ("a: {image: x, ports: ['1-2:1']}, b: {image: x, ports: ['2:1/udp', '3:1']}",
         "", ""),
        ("a: {image: x, ports: ['1-2:1'], scale: 2}, b: {image: x, ports: ['1-2:1']}",
         "port_conflict", "high"),
        ("a: {image: x, ports: ['1-2:1']}, b: {image: x, ports: ['1-2:1']}", "", ""),
        ("a: {image: x, ports: ['80']}, b: {image: x, ports: ['80']}", "", ""),
    ],
)  # fmt: skip
def test_ranges_and_replicas(
    tmp_path: Path, text: str, code: str, severity: str
) -> None:
    found = audit(tmp_path, s=f"services: {{{text}}}")
    assert codes(found) == ({code} if code else set())
    assert [s for s, _ in of(found, code)] == ([severity] if code else [])


ADDRESSES = ["*", "0.0.0.0", "127.0.0.1", "127.0.0.2", "::", "::1", "::ffff:127.0.0.1"]
# Where a packet may come in, and which of these each address takes: by hand.
TAKES = {
    "*": {"127.0.0.1", "127.0.0.2", "4", "::1", "6"},
    "0.0.0.0": {"127.0.0.1", "127.0.0.2", "4"},
    "127.0.0.1": {"127.0.0.1"},
    "127.0.0.2": {"127.0.0.2"},
    "::": {"::1", "6"},
    "::1": {"::1"},
    "::ffff:127.0.0.1": {"127.0.0.1"},
}


@pytest.mark.parametrize("one", ADDRESSES)
@pytest.mark.parametrize("other", ADDRESSES)
def test_addresses_overlap_where_a_packet_has_two_takers(one: str, other: str) -> None:
    assert overlap(one, other) == bool(TAKES[one] & TAKES[other])


@st.composite
def entries(draw: st.DrawFn) -> dict[str, Any]:
    first = draw(st.integers(8000, 8006))
    many = draw(st.integers(0, 3))
    target = draw(st.integers(1, 3))
    return {
        "service": draw(st.sampled_from("abcd")),
        "address": draw(st.sampled_from(["", "127.0.0.1", "0.0.0.0", "[::1]", "[::]"])),
        "hosts": range(first, first + many + 1),
        "targets": range(target, target + many + 1),
        "protocol": draw(st.sampled_from(["tcp", "udp"])),
    }


PROFILES = st.fixed_dictionaries(
    {name: st.sets(st.sampled_from(["one", "two"])) for name in "abcd"}
)


@pytest.mark.slow
@given(st.lists(entries(), max_size=7), PROFILES)
def test_conflicts_are_those_of_every_port_and_packet(
    tmp_path_factory: pytest.TempPathFactory,
    given_entries: list[dict[str, Any]],
    profiles: dict[str, set[str]],
) -> None:
    """The slow oracle: every port of every entry at every place of a packet."""
    folder = tmp_path_factory.mktemp("s")
    lines = ["services:"]
    for name in "abcd":
        own = [e for e in given_entries if e["service"] == name]
        ports = [
            f"{e['address']}{':' if e['address'] else ''}"
            f"{e['hosts'][0]}-{e['hosts'][-1]}"
            f":{e['targets'][0]}-{e['targets'][-1]}/{e['protocol']}"
            for e in own
        ]
        named = sorted(profiles[name])
        lines.append(f"  {name}: {{image: x, profiles: {named}, ports: {ports}}}")
    found = audit(folder, s="\n".join(lines))
    # To compose, no address and 0.0.0.0 are one entry, and the last of these is meant.
    last = {
        (e["service"], e["protocol"], host, target, e["address"] or "0.0.0.0"): e
        for e in given_entries
        for host, target in zip(e["hosts"], e["targets"], strict=True)
    }
    claims = {
        (name, packet, protocol, host, target, address)
        for (name, protocol, host, target, address), e in last.items()
        for packet in TAKES[e["address"].strip("[]") or "*"]
    }
    expected = set()
    for one, other in combinations(sorted(claims), 2):
        both = profiles[one[0]], profiles[other[0]]
        apart = all(both) and not both[0] & both[1]
        same = (one[0], *one[4:]) == (other[0], *other[4:])
        if one[1:4] == other[1:4] and not same and not apart:
            expected.add((frozenset({one[0], other[0]}), one[2], one[3]))
    seen = set()
    for _, summary in of(found, "port_conflict"):
        who, _, rest = summary.partition(" publish ")
        names = frozenset(w[2:] for w in who.split() if w.startswith("s/"))
        protocol, numbers = rest.split(" of the host")[0].split(" port")
        for span in numbers.lstrip("s").split(","):
            first, _, last = span.strip().partition("-")
            for port in range(int(first), int(last or first) + 1):
                seen.add((names, protocol, port))
    assert seen == expected


def listeners(*rows: tuple[str, str, int, str]) -> pd.DataFrame:
    return dk.PORTS.build(
        {
            "stack": ["host" for _ in rows],
            "service": [name for name, *_ in rows],
            "host_ip": [ip for _, ip, *_ in rows],
            "host_port": [port for *_, port, _ in rows],
            "protocol": [protocol for *_, protocol in rows],
            "origin": ["host" for _ in rows],
            "source": ["process 7" for _ in rows],
        }
    )


@pytest.mark.parametrize(
    ("row", "port", "code", "severity"),
    [
        (("python", "0.0.0.0", 8000, "tcp"), "8000:1", "port_conflict", "high"),
        (("", "::", 8000, "tcp"), "127.0.0.1:8000:1", "port_conflict", "high"),
        (("docker-proxy", "0.0.0.0", 8000, "tcp"), "8000:1", "port_taken", "info"),
        (("python", "127.0.0.2", 8000, "tcp"), "127.0.0.1:8000:1", "", ""),
        (("python", "0.0.0.0", 8000, "udp"), "8000:1", "", ""),
        (("python", "0.0.0.0", 8000, "tcp"), "8000-8001:1", "", ""),
        (("python", "0.0.0.0", 8000, "tcp"), "80", "", ""),
    ],
)
def test_what_listens_already(
    tmp_path: Path, row: tuple[str, str, int, str], port: str, code: str, severity: str
) -> None:
    ports = read(tmp_path, s=service(a=port))
    found = dk.audit_ports(ports, listeners=listeners(row))
    assert codes(found) == ({code} if code else set())
    assert [s for s, _ in of(found, code)] == ([severity] if code else [])


DEV = """
services:
  backend: {image: app, ports: ["8000:8000"]}
  db: {image: "postgres:13", ports: ["${DB_PORT:-5432}:5432"]}
"""
PROD = """
services:
  backend:
    image: app
    environment: {DATABASE_URL: "postgresql://app@db:5432/app"}
  db: {image: "postgres:15"}
  web: {image: "nginx:1", ports: ["80:80"]}
"""
CONF = """
upstream app { server backend:8000; }
server { location / { proxy_pass http://app; } }
"""


def test_what_a_sibling_publishes_and_this_one_does_not(tmp_path: Path) -> None:
    found = audit(tmp_path, dev=DEV, prod=PROD)
    assert of(found, "not_published") == [
        (
            "medium",
            "prod/backend is not published; dev publishes it at port 8000; web may "
            "pass requests on to it, or not",
        ),
        (
            "info",
            "prod/db is not published; dev publishes it at port 5432, as is usual for "
            "a database in use",
        ),
    ]
    assert codes(found) == {"not_published"}


def test_without_a_proxy_it_is_worse_and_with_one_it_is_meant(tmp_path: Path) -> None:
    bare = PROD.replace("nginx:1", "other:1")
    assert of(audit(tmp_path, dev=DEV, prod=bare), "not_published")[0][0] == "high"
    (tmp_path / "prod/nginx.conf").write_text(CONF)
    found = audit(tmp_path, dev=DEV, prod=PROD)
    assert of(found, "not_published")[0] == (
        "info",
        "prod/backend is not published; dev publishes it at port 8000; here web passes "
        "requests on to it",
    )
    labelled = PROD.replace(
        "image: app\n", "image: app\n    labels: [traefik.enable=true]\n"
    )
    (tmp_path / "prod/nginx.conf").unlink()
    found = audit(tmp_path, dev=DEV, prod=labelled)
    assert "a proxy finds it by its labels traefik" in of(found, "not_published")[0][1]


def test_a_client_that_uses_the_port_decides(tmp_path: Path) -> None:
    found = audit(
        tmp_path, ("http://localhost:8000/api", "https://x.example"), dev=DEV, prod=PROD
    )
    assert of(found, "not_published")[0] == (
        "high",
        "prod/backend is not published, and a client uses port 8000 of the host",
    )
    nothing = audit(tmp_path, ("localhost:9", "localhost:99999999"), dev=DEV, prod=PROD)
    assert (
        "medium",
        "a client uses port 9 of the host, which nothing in any stack publishes",
    ) in of(nothing, "not_published")


def one(text: str) -> str:
    return f"services:\n{text}"


@pytest.mark.parametrize(
    ("text", "code", "severity", "words"),
    [
        # A browser's localhost is the host.
        ("""
  web: {image: x, ports: ["3000:3000"],
    environment: {VITE_API: "http://localhost:8000"}}
  api: {image: x, expose: [8000]}""", "not_published", "high",
         "s/api is not published, and s/web uses port 8000"),
        ("""
  web: {image: x, ports: ["3000:3000"],
    environment: {VITE_API: "http://localhost:8000"}}
  api: {image: x, ports: ["8000:80"]}""", "", "", ""),
        ("""
  web: {image: x, ports: ["3000:3000"],
    environment: {CORS_ORIGINS: "http://localhost:3001"}}""", "not_published", "medium",
         "s/web uses port 3001 of the host, which nothing in stack s publishes"),
        ("""
  web: {image: x, ports: ["1:1"],
    environment: {API: "http://host.docker.internal:8000"}}
  api: {image: x, expose: [8000]}""", "not_published", "high",
         "s/api is not published"),
        ("""
  api: {image: x, expose: [8000]}""", "not_published", "medium",
         "stack s publishes no port: nothing outside can reach it"),
        ("""
  worker: {image: x}""", "", "", ""),
        # A container's localhost is the container.
        ("""
  api: {image: x, ports: ["1:1"], environment: {U: "postgresql://a:b@localhost/x"}}
  db: {image: "postgres:16"}""", "localhost_target", "high",
         "s/api looks for postgresql at localhost:5432"),
        ("""
  api: {image: x, ports: ["1:1"], environment: {U: "http://127.0.0.1:9"}}""",
         "localhost_target", "medium", "looks for http at 127.0.0.1:9"),
        ("""
  api: {image: x, ports: ["80:8000"], environment: {U: "http://localhost:8000/up"}}""",
         "", "", ""),
        ("""
  api: {image: x, ports: ["1:1"], network_mode: "service:db",
    environment: {U: "redis://localhost"}}
  db: {image: "redis:7"}""", "", "", ""),
        ("""
  api: {image: x, network_mode: host, environment: {U: "redis://localhost"}}
  db: {image: "redis:7", ports: ["6379:6379"]}""", "", "", ""),
        ("""
  api: {image: x, network_mode: host, environment: {U: "redis://localhost"}}
  db: {image: "redis:7"}""", "not_published", "high", "s/db is not published"),
        ("""
  api: {image: x, ports: ["1:1"], environment: {U: "http://localhost:8000"}}
  b: {image: x, ports: ["8000:80"]}""", "localhost_target", "medium", "localhost:8000"),
        ("""
  api: {image: x, ports: ["1:1"], environment: {U: "http://localhost:8000"}}
  b: {image: x, expose: [8000]}""", "localhost_target", "high", "localhost:8000"),
        ("""
  api: {image: x, ports: ["1:1"], environment: {U: "redis://c"}}
  c: {image: "redis:7", command: redis-server --port 6380}""", "wrong_port", "medium",
         "between containers it is 6380"),
        ("""
  api: {image: x, ports: ["1:1"], network_mode: "service:gone",
    environment: {U: "http://localhost:1"}}""", "", "", ""),
        # Names.
        ("""
  api: {image: x, ports: ["1:1"], networks: [front], environment: {DB_HOST: db}}
  db: {image: "postgres:16", networks: [back]}
networks: {front: , back: }""", "unreachable_target", "high",
         "s/api names db, with which it shares no network"),
        ("""
  api: {image: x, network_mode: host, environment: {DB_HOST: db}}
  db: {image: "postgres:16"}""", "unreachable_target", "high", "shares no network"),
        ("""
  api: {image: x, ports: ["1:1"], environment: {DB_HOST: db}}
  db: {image: "mysql:8", profiles: [full]}""", "unreachable_target", "low",
         "started only with the profile full"),
        ("""
  api: {image: x, ports: ["1:1"], environment: {U: "redis://cache"}}""",
         "unresolved_target", "high", "names the host cache, and nothing in stack s"),
        ("""
  api: {image: x, ports: ["1:1"], networks: [n], environment: {U: "redis://cache"}}
networks: {n: {external: true}}""", "", "", ""),
        ("""
  api: {image: x, ports: ["1:1"], extra_hosts: ["cache:1.1.1.1"],
    environment: {U: "redis://cache", V: "http://api:1", W: "http://x.example"}}""",
         "", "", ""),
        ("""
  api: {image: x, ports: ["1:1"], environment: {U: "redis://Store"}}
  cache: {image: "redis:7", networks: {default: {aliases: [store]}}}""", "", "", ""),
        # Ports.
        ("""
  api: {image: x, ports: ["1:1"], environment: {U: "postgresql://db:5433/x"}}
  db: {image: "postgres:16", ports: ["5433:5432"]}""", "wrong_port", "high",
         "names db:5433, which is its port on the host: between containers it is 5432"),
        ("""
  api: {image: x, ports: ["1:1"], environment: {DB_HOST: db, DB_PORT: 5439}}
  db: {image: "postgres:16"}""", "wrong_port", "medium", "is none of its ports"),
        ("""
  api: {image: x, ports: ["1:1"], environment: {U: "http://app:9000"}}
  app: {image: x, command: "uvicorn a:b --host 0.0.0.0 --port 8000"}""", "wrong_port",
         "medium", "between containers it is 8000"),
        ("""
  api: {image: x, ports: ["1:1"], environment: {U: "http://app:8000"}}
  app: {image: x, command: "uvicorn a:b"}""", "loopback_only", "high",
         "s/app listens on 127.0.0.1:8000 alone, so that api cannot reach it"),
        ("""
  app: {image: x, ports: ["80:8000"], command: "uvicorn a:b"}""", "loopback_only",
         "high", "its command listens on 127.0.0.1 alone"),
        ("""
  app: {image: x, ports: ["80:80"], command: [gunicorn, -b, "0.0.0.0:8000"]}""",
         "wrong_port", "medium", "publishes its port 80, and its command listens on"),
        # Health.
        ("""
  app: {image: x, ports: ["80:80"], depends_on: {db: {condition: service_healthy}}}
  db: {image: x}""", "healthcheck_missing", "medium", "waits until db is healthy"),
    ],
)  # fmt: skip
def test_exposure(
    tmp_path: Path, text: str, code: str, severity: str, words: str
) -> None:
    found = audit(tmp_path, s=one(text))
    assert codes(found) == ({code} if code else set()), found["summary"].tolist()
    if code:
        ((level, summary),) = of(found, code)
        assert level == severity
        assert words in summary
    assert set(found["area"]) <= {"infrastructure", "service"}


def test_a_service_of_another_stack_needs_a_shared_network(tmp_path: Path) -> None:
    api = (
        'services: {api: {image: x, ports: ["1:1"], environment: {U: "redis://c"}%s}}%s'
    )
    cache = 'services: {c: {image: "redis:7"%s}}%s'
    found = audit(tmp_path, one=api % ("", ""), two=cache % ("", ""))
    ((severity, summary),) = of(found, "unreachable_target")
    assert severity == "high"
    assert "a service of stack two and shares no network with it" in summary
    net = (", networks: [n]", "\nnetworks: {n: {external: true}}")
    assert codes(audit(tmp_path, one=api % net, two=cache % net)) == set()


def test_the_remedy_names_the_containers_port(tmp_path: Path) -> None:
    text = """
services:
  api: {image: x, ports: ["1:1"], environment: {U: "http://localhost:8000"}}
  b: {image: x, ports: ["8000:80"]}
"""
    found = audit(tmp_path, s=text)
    assert found["remedy"].iloc[0].startswith("Name b:80 in its place")


def test_another_stack_on_the_host_may_have_the_port(tmp_path: Path) -> None:
    env = "environment: {PUBLIC_URL: 'http://localhost:2'}"
    api = f"services: {{a: {{image: x, ports: ['1:1'], {env}}}}}"
    assert codes(audit(tmp_path, one=api, two=service(b="2:2"))) == set()


def test_an_address_that_is_none_overlaps_with_nothing() -> None:
    assert not overlap("somewhere", "127.0.0.1")


def test_the_proxy_of_the_host(tmp_path: Path) -> None:
    """A configuration that no service mounts is nginx on the host."""
    text = "services: {api: {image: x, expose: [8000]}, b: {image: x, ports: ['1:1']}}"
    ports = tmp_path / "s"
    ports.mkdir()
    (ports / "site.conf").write_text("location / { proxy_pass http://127.0.0.1:8000; }")
    found = audit(tmp_path, s=text)
    assert of(found, "not_published") == [
        ("high", "s/api is not published, and a proxy uses port 8000 of the host")
    ]
    (ports / "site.conf").write_text("location / { proxy_pass http://127.0.0.1:1; }")
    assert codes(audit(tmp_path, s=text)) == set()


def test_what_a_proxy_cannot_reach(tmp_path: Path) -> None:
    text = """
services:
  web:
    image: nginx
    ports: ["80:80"]
    volumes: ["./conf:/etc/nginx/conf.d:ro"]
  api: {image: x, expose: [8000]}
"""
    (tmp_path / "s/conf").mkdir(parents=True)
    conf = tmp_path / "s/conf/default.conf"
    for target, code in [
        ("http://api:8000", set()),
        ("http://backend:8000", {"unresolved_target"}),
        ("http://localhost:8000", {"localhost_target"}),
    ]:
        conf.write_text(
            f"server {{ listen 80; location / {{ proxy_pass {target}; }} }}"
        )
        found = audit(tmp_path, s=text)
        assert codes(found) == code
        if code:
            assert "s/conf/default.conf:1" in found["evidence"].iloc[0]
            assert found["severity"].astype(str).iloc[0] == "high"


def test_health_checks_are_counted_by_stack(tmp_path: Path) -> None:
    text = "services: {a: {image: x, healthcheck: {test: [CMD, x]}}, b: {image: x}}"
    assert of(audit(tmp_path, s=text), "no_healthcheck") == [
        ("low", "1 of 2 services of stack s has no health check in it: b")
    ]


def test_the_sample(sample: Path) -> None:
    ports = dk.open_incident(sample).ports
    found = dk.audit_ports(ports)
    assert of(found, "port_conflict") == [
        (
            "high",
            "dev/api and dev/api-mock both publish tcp port 8000 of the host: one "
            "cannot start",
        )
    ]
    assert (
        "dev/api looks for postgresql at localhost:5432"
        in (of(found, "localhost_target")[0][1])
    )
    assert codes(found) == {"port_conflict", "localhost_target", "not_published"}
    ranked = dk.rank_findings(dk.open_incident(sample))
    assert set(found["id"]) <= set(ranked["id"])
    again = dk.audit_ports(dk.open_incident(sample).ports)
    pd.testing.assert_frame_equal(found, again)


def test_the_port_map(tmp_path: Path) -> None:
    host = (
        "services:\n  h: {image: x, network_mode: host, expose: [9]}\n  i: {image: x}\n"
    )
    table = dk.document_ports(read(tmp_path, dev=DEV, prod=PROD, zhost=host))
    assert table.values.tolist() == [
        ["backend", "8000/tcp", "8000", "not published", "–"],
        ["db", "5432/tcp", "5432", "not published", "–"],
        ["h", "9/tcp", "–", "–", "9"],
        ["i", "–", "–", "–", "not published"],
        ["web", "80/tcp", "–", "80", "–"],
    ]
    assert list(table.columns) == ["service", "container", "dev", "prod", "zhost"]


def test_every_form_of_a_port_is_in_the_map(tmp_path: Path) -> None:
    text = """
services:
  a: {image: x, ports: ["80", "8000-8002:90", "127.0.0.1:1:1/udp", "2:90"], expose: [7]}
  b: {image: x, network_mode: host}
"""
    table = dk.document_ports(read(tmp_path, s=text))
    assert table.values.tolist() == [
        ["a", "1/udp", "127.0.0.1:1"],
        ["a", "7/tcp", "not published"],
        ["a", "80/tcp", "a free port"],
        ["a", "90/tcp", "8000-8002, 2"],
        ["b", "–", "every port"],
    ]


def test_nothing_is_nothing() -> None:
    assert dk.audit_ports(dk.PORTS.empty()).empty
    assert dk.document_ports(dk.PORTS.empty()).columns.tolist() == [
        "service",
        "container",
    ]


def test_what_is_none_is_refused() -> None:
    with pytest.raises(dk.ContractError, match="ports come from read_compose; a list"):
        dk.audit_ports([1])  # type: ignore[arg-type]
    with pytest.raises(dk.ContractError, match="not a PORTS frame"):
        dk.audit_ports(dk.PORTS.empty(), listeners=pd.DataFrame({"a": [1]}))
