from __future__ import annotations

import importlib.util
import json
import os
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

import diagkit as dk
from diagkit.sources.composefiles import load_model
from diagkit.sources.stackfiles import find_stacks
from diagkit.sources.stackreading import Reading
from diagkit.sources.yamltrees import read_trees

_SPEC = importlib.util.spec_from_file_location(
    "compose_oracle", Path(__file__).with_name("compose_oracle.py")
)
assert _SPEC is not None
assert _SPEC.loader is not None
oracle = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(oracle)

CONFIGS: dict[str, Any] = json.loads(oracle.CAPTURED.read_text(encoding="utf-8"))


def ours(folder: Path) -> dict[str, Any]:
    """What diagkit makes of a folder, in the words of the oracle."""
    top, (stack,) = find_stacks(folder / "compose.yaml")
    ports = dk.read_compose(folder / "compose.yaml")
    reading = Reading(top)
    known = reading.env(folder / ".env", {})
    model = load_model(reading, stack.files, folder, known)
    done: dict[str, Any] = {}
    for row in ports.services.itertuples():
        service = model.services[row.service]
        own = ports.published[ports.published["service"] == row.service]
        environment = reading.environment(service, known)
        done[str(row.service)] = {
            "ports": sorted(
                [
                    *(p.host_ip, said(p.host_port, p.host_port_last)),
                    *(p.container_port, p.protocol),
                ]
                for p in own.itertuples()
            ),
            "environment": dict(environment),
            "networks": sorted(str(row.networks).split()),
            "profiles": str(row.profiles).split(),
            "expose": str(row.exposed).split(),
            "replicas": row.replicas,
            "image": row.image,
        }
    return done


def said(first: Any, last: Any) -> str:
    if pd.isna(first):
        return "0"
    return str(first) if pd.isna(last) else f"{first}-{last}"


def alike(found: dict[str, Any], config: dict[str, Any]) -> None:
    assert sorted(found) == sorted(config)
    for name, service in config.items():
        mine = found[name]
        # compose writes a variable that has no value as null, or leaves it out.
        both = [
            side | {"environment": {k: v for k, v in own.items() if v is not None}}
            for side in (mine, service)
            for own in [side["environment"]]
        ]
        assert both[0] == both[1], name


@pytest.mark.parametrize("case", [c for c in oracle.CASES if "refused" not in c])
def test_what_docker_compose_makes_of_it(case: str, tmp_path: Path) -> None:
    folder = oracle.write(oracle.CASES[case], tmp_path / "stack")
    alike(ours(folder), CONFIGS[case])


@pytest.mark.parametrize("case", [c for c in oracle.CASES if "refused" in c])
def test_what_docker_compose_refuses(case: str, tmp_path: Path) -> None:
    assert CONFIGS[case]["refused"]
    folder = oracle.write(oracle.CASES[case], tmp_path / "stack")
    with pytest.raises(dk.SourceError, match=r"^compose.yaml") as told:
        dk.read_compose(folder)
    assert "\n" not in str(told.value)
    assert str(tmp_path) not in str(told.value)


def test_the_captured_answers_are_those_of_docker_compose(tmp_path: Path) -> None:
    command = oracle.find_compose()
    if command is None:
        pytest.skip("docker compose 2 is not installed")
    for number, (case, files) in enumerate(oracle.CASES.items()):
        folder = oracle.write(files, tmp_path / str(number) / "stack")
        answer = oracle.ask_compose(command, folder)
        if "refused" in CONFIGS[case]:
            assert "refused" in answer, case
        else:
            assert answer == CONFIGS[case], case


PORT = st.integers(1, 65535)
ADDRESS = st.sampled_from(["", "127.0.0.1:", "0.0.0.0:", "[::1]:", "[::]:"])
PROTOCOL = st.sampled_from(["", "/tcp", "/udp"])


@st.composite
def short_port(draw: st.DrawFn) -> str:
    target = draw(st.integers(1, 65000))
    host = draw(st.integers(1, 65000))
    many = draw(st.integers(0, 3))
    form = draw(st.sampled_from(["one", "range", "pick", "free", "bare"]))
    address, protocol = draw(ADDRESS), draw(PROTOCOL)
    text = {
        "one": f"{address}{host}:{target}",
        "range": f"{address}{host}-{host + many}:{target}-{target + many}",
        "pick": f"{address}{host}-{host + many}:{target}",
        "free": f"{address or '127.0.0.1:'}:{target}",
        "bare": f"{target}",
    }[form]
    return text + protocol


TEMPLATE = st.sampled_from(
    ["{p}", "${{UNSET:-{p}}}", "${{SET:+{p}}}", "${{EMPTY:-{p}}}", "${{UNSET-{p}}}"]
)


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.lists(st.tuples(short_port(), TEMPLATE), max_size=4), max_size=4),
    st.lists(st.lists(short_port(), max_size=2), max_size=3),
)
def test_ports_as_docker_compose_reads_them(
    tmp_path_factory: pytest.TempPathFactory,
    base: list[list[tuple[str, str]]],
    over: list[list[str]],
) -> None:
    """Any ports, with variables and an override: asked of the real one."""
    command = oracle.find_compose()
    if command is None:
        pytest.skip("docker compose 2 is not installed")
    first = {
        f"s{i}": {"image": "x", "ports": [t.format(p=p) for p, t in ports]}
        for i, ports in enumerate(base)
    }
    second = {f"s{i}": {"image": "x", "ports": p} for i, p in enumerate(over)}
    files = {
        "compose.yaml": json.dumps({"services": first or {"z": {"image": "x"}}}),
        "compose.override.yaml": json.dumps({"services": second}),
        ".env": "SET=1\nEMPTY=\n",
    }
    folder = oracle.write(files, tmp_path_factory.mktemp("any") / "stack")
    alike(ours(folder), oracle.ask_compose(command, folder))


@given(short_port())
def test_a_short_port_is_what_its_parts_say(text: str) -> None:
    """The slow oracle that is always there: cut the text by hand, expand every port."""
    from diagkit.sources.portspecs import read_port

    body, _, protocol = text.partition("/")
    parts = body.rsplit(":", 2) if "[" not in body else None
    if parts is None:
        address, _, rest = body.partition("]:")
        address, ports = address[1:], rest.split(":")
    else:
        ports = parts[-2:] if len(parts) > 1 else parts
        address = parts[0] if len(parts) == 3 else "*"
    target, host = ports[-1], ports[0] if len(ports) == 2 else ""
    numbers = [int(n) for n in target.split("-")]
    targets = list(range(numbers[0], numbers[-1] + 1))
    hosts = [int(n) for n in host.split("-")] if host else []
    made = read_port(text, "c:1")
    assert [s.target for s in made] == targets
    assert {s.host_ip for s in made} == {address}
    assert {s.protocol for s in made} == {protocol or "tcp"}
    if not hosts:
        assert [s.first for s in made] == [None] * len(targets)
    elif len(targets) == 1:
        assert (made[0].first, made[0].last) == (hosts[0], hosts[-1])
    else:
        assert [s.first for s in made] == list(range(hosts[0], hosts[-1] + 1))


def stack(tmp_path: Path, **files: str) -> Path:
    named = {name.replace("__", "/").replace("_", "."): t for name, t in files.items()}
    return oracle.write(named, tmp_path / "stack")


def test_rows_know_their_place(tmp_path: Path) -> None:
    folder = stack(
        tmp_path,
        compose_yaml="services:\n  a:\n    image: x\n    ports:\n      - 1:1\n"
        "      - target: 2\n        published: 2\n    environment:\n"
        "      - DB_URL=postgresql://u:hunter2@db/x\n",
    )
    ports = dk.read_compose(folder)
    assert ports.published["source"].tolist() == ["compose.yaml:5", "compose.yaml:6"]
    assert ports.services["source"].tolist() == ["compose.yaml:2"]
    row = ports.references.iloc[0]
    assert row[["name", "scheme", "host", "port", "source"]].tolist() == [
        *("DB_URL", "postgresql", "db", 5432, "compose.yaml:9"),
    ]
    assert "hunter2" not in str(
        [getattr(ports, n).to_dict() for n in ("references", "services", "notes")]
    )
    dk.PORTS.check(ports.published)
    dk.SERVICES.check(ports.services)
    dk.REFERENCES.check(ports.references)


def test_several_stacks_are_called_by_their_folders(tmp_path: Path) -> None:
    text = 'services:\n  a: {image: x, ports: ["1:1"]}\n'
    for name in ("one/prod", "two/prod", "dev"):
        oracle.write({f"{name}/compose.yml": text.replace("\n", "\r\n")}, tmp_path)
    found = dk.read_compose(tmp_path)
    assert found.stacks == ["dev", "one/prod", "two/prod"]
    assert found.published["source"].tolist()[1] == "one/prod/compose.yml:2"
    named = dk.read_compose(sorted(tmp_path.glob("*/prod/compose.yml")))
    assert named.stacks == ["one/prod", "two/prod"]
    assert dk.read_compose(str(tmp_path / "*/compose.yml")).stacks == ["dev"]


def test_files_of_one_folder_are_the_forms_of_one_project(tmp_path: Path) -> None:
    folder = stack(
        tmp_path,
        compose_yaml='services:\n  a: {image: x, ports: ["1:1"]}\n',
        compose_override_yaml='services:\n  a: {ports: ["2:2"]}\n',
        compose_prod_yaml='services:\n  a: {ports: ["3:3"]}\n',
        compose_ci_yml='services:\n  a: {image: y, ports: ["4:4"]}\n',
        base_yaml="services:\n  t: {image: t}\n",
    )
    found = dk.read_compose(folder).published
    of = {k: v["host_port"].tolist() for k, v in found.groupby("stack")}
    assert of == {"stack": [1, 2], "stack:prod": [1, 3], "stack:ci": [4]}
    mapping = {"mine": [folder / "compose.yaml", folder / "compose.prod.yaml"]}
    assert dk.read_compose(mapping).published["host_port"].tolist() == [1, 3]
    assert dk.read_compose(mapping).stacks == ["mine"]


def test_what_is_included_is_no_stack_of_its_own(tmp_path: Path) -> None:
    folder = oracle.write(oracle.CASES["include"], tmp_path / "stack")
    found = dk.read_compose(folder)
    assert found.stacks == ["stack"]
    assert sorted(found.services["service"]) == ["a", "s", "t"]


def test_variables_come_from_the_caller_and_not_from_this_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PORT", "7000")
    folder = stack(
        tmp_path, compose_yaml='services:\n  a: {image: x, ports: ["${PORT}:80"]}\n'
    )
    found = dk.read_compose(folder)
    assert found.published["host_port"].isna().all()
    note = found.notes.iloc[0].astype(str).tolist()
    assert note[1:] == [
        "unset_variable",
        "the variable PORT is not set; it counts as empty",
        "compose.yaml:2",
    ]
    given = dk.read_compose(folder, environ=os.environ)
    assert given.published["host_port"].tolist() == [7000]
    assert given.notes.empty


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (
            'services: {a: {image: x, ports: ["${P:?say which}:80"]}}',
            "required_variable",
        ),
        ("services: {a: {image: x, env_file: no.env}}", "missing_file"),
        (
            "include: ['https://x.example/c.yaml']\nservices: {a: {image: x}}",
            "not_read",
        ),
        ("include: [i.yaml]\nservices: {a: {image: x}}", "conflict"),
    ],
)
def test_what_cannot_be_told_is_noted(tmp_path: Path, text: str, kind: str) -> None:
    folder = stack(tmp_path, compose_yaml=text, i_yaml="services: {a: {image: y}}")
    found = dk.read_compose(folder / "compose.yaml")
    assert found.notes["kind"].astype(str).tolist() == [kind]
    assert found.services["image"].tolist() == ["x"]
    codes = dk.audit_ports(found)["code"].tolist()
    assert {"conflict": "compose_conflict"}.get(kind, kind) in codes


def test_compose_file_in_env_is_noted(tmp_path: Path) -> None:
    folder = stack(
        tmp_path, compose_yaml="services: {a: {image: x}}", _env="COMPOSE_FILE=x.yaml\n"
    )
    assert "COMPOSE_FILE is set" in dk.read_compose(folder).notes["text"][0]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: &a [x, x]\n" + "".join(
            f"{chr(98 + i)}: &{chr(98 + i)} [{', '.join([f'*{chr(97 + i)}'] * 9)}]\n"
            for i in range(9)), "grows past 50,000 values"),
        ("services: !!python/object/apply:os.system [echo]", "is not allowed"),
        ("services: {a: !secret x}", "the tag that stands here is not allowed"),
        ("[" * 300 + "]" * 300, "nested deeper"),
        ("[" * 30_000, "nested deeper"),
        ("services: {a: {image: x, ports: ['80/tpc']}}", "did you mean 'tcp'"),
        ("services: {a: {image: '${A/b}'}}", "write [$][$]"),
        ("services: {a: {image: '$'}}", "write [$][$]"),
        ("services: {a: {image: x, networks: 5}}", "must be a list"),
        ("a: &a {b: *a}", "(is no YAML|nested deeper)"),
        ("services: {a: {image: x}", "is no YAML"),
        ("a: \x00", "(is no YAML|is no text)"),
        ("- services", "is no compose file"),
        ("services: [a]", "services is a mapping"),
        ("services: {a: {image: x, ports: 80}}", "must be a list"),
        ("services: {a: {image: x, ports: [[80]]}}", "has no meaning"),
        ("services: {a: {image: x, healthcheck: x}}", "must be a mapping"),
        ("services: {a: {image: x, deploy: x}}", "must be a mapping"),
        ("services: {a: {image: x, env_file: [{x: 1}]}}", "must be a path"),
        ("services: {a: {image: x, environment: [[]]}}", "NAME=value"),
        ("services: {a: {? [x] : y}}", "a key is a text"),
        ("services: {a: {<<: 5}}", "takes a mapping"),
        ("services: {a: {image: x}}\ninclude: [compose.yaml]", "includes itself"),
        ("services: {a: {image: x}}\ninclude: [{}]", "names a path"),
        ("services: {a: {image: x, extends: {service: b, file: no.yaml}}}", "no such"),
        ("services: {a: {image: x, env_file: e.env}}", "is no NAME=value"),
        ("services: {a: {image: x, env_file: q.env}}", "opened and not closed"),
        ("services: {a: {image: x, env_file: d.env}}", "begins no variable"),
        ("services: {a: {image: '$5'}}", "write [$][$]"),
        ("services: {a: {image: '" + "${A:-" * 30 + "}" * 30 + "'}}", "too deep"),
    ],
)  # fmt: skip
def test_hostile_and_broken_files_are_refused_in_one_line(
    tmp_path: Path, text: str, words: str
) -> None:
    files = {"e.env": "!hunter2\n", "q.env": "A='b\n", "d.env": "A=$5\n"}
    folder = oracle.write({"compose.yaml": text, **files}, tmp_path / "stack")
    with pytest.raises(dk.SourceError, match=words) as told:
        dk.read_compose(folder / "compose.yaml")
    assert "\n" not in str(told.value)
    assert "hunter2" not in str(told.value)
    assert len(str(told.value)) < 300


def test_a_file_without_end_is_not_read(tmp_path: Path) -> None:
    folder = stack(
        tmp_path, compose_yaml="services: {a: {image: x}}\n#" + "x" * 600_000
    )
    with pytest.raises(dk.SourceFormatError, match="larger than 512 KiB"):
        dk.read_compose(folder)
    if sys.platform != "win32":
        text = "services: {a: {image: x, extends: {service: b, file: /dev/zero}}}"
        (folder / "compose.yaml").write_text(text)
        with pytest.raises(dk.SourceFormatError, match="zero: is no plain file"):
            dk.read_compose(folder)


def test_a_stack_of_many_files_ends(tmp_path: Path) -> None:
    names = [f"f{i}.yaml" for i in range(120)]
    files = {name: f"include: [{after}]\n" for name, after in pairwise(names)}
    folder = oracle.write(
        {**files, names[-1]: "services: {}", "compose.yaml": "include: [f0.yaml]"},
        tmp_path / "stack",
    )
    with pytest.raises(dk.SourceFormatError, match="made of more than 100 files"):
        dk.read_compose(folder / "compose.yaml")
    with pytest.raises(dk.SourceFormatError, match="is longer than 512 KiB"):
        read_trees("#" * 600_000, "compose.yaml")


def test_attributes_without_a_value_are_none_at_all(tmp_path: Path) -> None:
    folder = stack(
        tmp_path,
        compose_yaml="services: {a: {image: x, ports: , environment: }, "
        "b: {image: x, ports: ['1:1'], volumes: [data, {type: tmpfs}]}}",
        compose_override_yaml="services: {b: {ports: !override }}",
        compose_broken_yaml="services: {",
        compose_odd_yaml="services: [1]",
    )
    assert dk.read_compose(folder / "compose.yaml").published.empty
    with pytest.raises(dk.SourceFormatError, match=r"broken.yaml:1: is no YAML"):
        dk.read_compose(folder)


def test_ranges_without_end_are_refused(tmp_path: Path) -> None:
    every = [f"127.0.0.{i}:1-65535:1-65535" for i in range(1, 200)]
    folder = stack(
        tmp_path,
        compose_yaml=json.dumps({"services": {"a": {"image": "x", "ports": every}}}),
    )
    with pytest.raises(dk.SourceFormatError, match="at most 70,000 ports"):
        dk.read_compose(folder)
    two = {n: {"image": "x", "ports": every[:1]} for n in "ab"}
    (folder / "compose.yaml").write_text(json.dumps({"services": two}))
    with pytest.raises(dk.SourceFormatError, match="more than 100,000 ports"):
        dk.read_compose(folder)


def test_utf_16_is_read(tmp_path: Path) -> None:
    folder = tmp_path / "stack"
    folder.mkdir()
    text = "services:\r\n  a: {image: x, ports: ['1:1']}\r\n"
    (folder / "compose.yaml").write_text(text, encoding="utf-16")
    assert dk.read_compose(folder).published["host_port"].tolist() == [1]


def test_a_folder_without_stacks_says_so(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text("a: 1\n")
    with pytest.raises(dk.SourceFormatError, match="no compose file"):
        dk.read_compose(tmp_path)


def test_an_incident_reads_nothing_outside_of_its_folder(tmp_path: Path) -> None:
    oracle.write({"secret.env": "DB_URL=postgresql://secret/x\n"}, tmp_path)
    text = "services: {a: {image: x, env_file: ../secret.env}}"
    folder = oracle.write({"compose.yaml": text}, tmp_path / "incident")
    oracle.write({"bad/compose.yaml": "services: [5]"}, folder)
    ports = dk.open_incident(folder).ports
    assert ports.references.empty
    assert sorted(ports.notes["kind"].astype(str)) == ["not_read", "unreadable"]
    assert ports.stacks == ["incident", "bad"]
    assert dk.read_compose(folder / "compose.yaml").references["host"].tolist() == [
        "secret"
    ]


def test_hosts_and_names_of_a_service(tmp_path: Path) -> None:
    folder = stack(
        tmp_path,
        compose_yaml="""
services:
  a:
    image: nginx
    container_name: Box
    hostname: here
    extra_hosts: ["one:1.1.1.1", "two=1.1.1.1"]
    links: ["db:store"]
    networks: {n: {aliases: [api.local]}}
    labels: ["traefik.enable=true"]
    healthcheck: {test: [CMD, true]}
    depends_on: {db: {condition: service_healthy}}
  db:
    image: postgres
    environment: {VIRTUAL_HOST: x.example}
    healthcheck: {test: NONE}
    extra_hosts: {x: 1.1.1.1}
  c:
    {image: x, healthcheck: {disable: true}, deploy: {replicas: 3}, command: flask run}
networks: {n: {external: {name: old}}}
""",
    )
    rows = dk.read_compose(folder).services.set_index("service")
    a = rows.loc["a"]
    assert a[["names", "hosts", "networks", "outside"]].tolist() == [
        *("box here api.local", "one two store", "old", "old"),
    ]
    assert a[["proxied", "waits_for"]].tolist() == ["labels traefik", "db"]
    assert rows["healthcheck"].astype(str).tolist() == [
        "declared",
        "disabled",
        "disabled",
    ]
    assert rows.loc["db", ["proxied", "hosts"]].tolist() == ["VIRTUAL_HOST", "x"]
    assert rows.loc["c", ["replicas", "listens"]].tolist() == [3, "127.0.0.1:5000"]
