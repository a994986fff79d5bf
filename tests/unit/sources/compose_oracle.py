"""What Docker Compose itself makes of files: captured, and asked where it is."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

CAPTURED = Path(__file__).with_name("compose_configs.json")
# name -> file -> text. What `docker-compose --profile '*' config --format json` of
# version 2.40.3 says of each stands in compose_configs.json, as `shorten` keeps it.
CASES: dict[str, dict[str, str]] = {
    "short": {
        "compose.yaml": """
services:
  a:
    image: x
    ports: ["${PORT}:8000", "80", "3000-3005:3000", "9000-9002:9000-9002/udp",
      "[::1]:81:81", "::1:82:82", "127.0.0.1::83", "127.0.0.1:84-86:84-86", 22:22, 90,
      "8100-8101", "0:91", "08000:92", ":93", "94:94/TCP", "94:94/sctp"]
"""
    },
    "long": {
        "compose.yaml": """
services:
  a:
    image: x
    ports:
      - {target: 80, published: "8080-8085"}
      - {target: 81, published: 8181, host_ip: 127.0.0.1, protocol: udp, mode: host}
      - {target: 82}
      - {target: 83, published: ""}
      - {target: "84", published: "8184-8184", name: web, app_protocol: http}
"""
    },
    "override": {
        "compose.yaml": """
services:
  a: {image: x, ports: ["8000:80"], expose: ["80"], environment: {A: 1, B: , C: ""},
      networks: [n], profiles: [p], command: a b, scale: 2}
  b: {image: x, ports: ["8000:80", "8000:80", "8001:80"]}
networks: {n: {}, m: {external: true, name: shared}, o: {name: other}}
""",
        "compose.override.yaml": """
services:
  a: {ports: ["8000:80", "127.0.0.1:8000:80", "8002:80"], expose: [81],
      environment: ["A=2"], networks: {m: {aliases: [zz]}, o: }, profiles: [q]}
  b: {ports: !override ["1:1"], deploy: {replicas: 3}}
""",
    },
    "reset": {
        "compose.yaml": """
services:
  a: {image: x, ports: ["1:1"], environment: {A: 1, B: 2}, networks: [n, default]}
  b: {image: x}
networks: {n: }
""",
        "compose.override.yaml": """
services:
  a: {ports: !reset [], environment: {A: !reset null}, networks: !override [default]}
  b: !reset null
""",
    },
    "anchors": {
        "compose.yaml": """
x-p: &p {image: x, ports: ["1:1"], environment: &e {A: 1, B: "${A:-b}"}}
services:
  a: {<<: *p, ports: ["2:2"]}
  b: {<<: [*p, {image: z, expose: [5]}], environment: {<<: *e, A: 5}}
"""
    },
    "variables": {
        "compose.yaml": """
services:
  a:
    image: "${X:-${Y-y}}$$z${Z:+zz}${W?}"
    environment: ["Q=${E-}", "P=$UNSET.", "D=${C:-a}b}", "F=${B:+x${C}}", "N=$Z", "Z"]
    ports: ["${PORT:-8000}:8000", "${EMPTY:-81}:81", "${EMPTY-82}:82"]
""",
        ".env": "Z=1\nW=\nEMPTY=\n",
    },
    "env files": {
        "compose.yaml": """
services:
  a:
    image: x
    env_file: [a.env, {path: no.env, required: false}, {path: raw.env, format: raw}]
    environment: {K: 9, O: }
  b: {image: x, env_file: a.env}
""",
        ".env": "O=top\n",
        "a.env": "K=1\nexport L='a b' # c\nM=\"x\\ny ${L}\" # c\nN=a#b\nP=a #b\n"
        "R: yaml\n"
        'S\nT=${O}\n# U=1\n\nV="a\nb"\nW=\'$O\'\nX="\\$O"\n',
        "raw.env": "RAW='a b' # c\n",
    },
    "extends": {
        "compose.yaml": """
services:
  a: {image: x, extends: {service: base, file: lib/base.yaml}, ports: ["1:1"]}
  c: {extends: a, ports: ["2:2"], environment: {K: c}}
  d: {extends: {service: c}, image: d, expose: [9]}
""",
        "lib/base.yaml": """
services:
  base: {image: b, extends: root, ports: ["1:1", "7:7"], env_file: b.env}
  root: {image: r, environment: {R: root, K: root}, networks: [default]}
""",
        "lib/b.env": "B=1\n",
    },
    "include": {
        "compose.yaml": """
include:
  - sub/compose.yaml
  - {path: [two/a.yaml, two/b.yaml], project_directory: ., env_file: two/x.env}
services:
  a: {image: x, ports: ["1:1"]}
""",
        ".env": "O=top\n",
        "sub/compose.yaml": """
services:
  s: {image: s, ports: ["${SP:-5}:5"], environment: {O: "${O}"}, env_file: s.env}
""",
        "sub/.env": "SP=55\nO=sub\n",
        "sub/s.env": "S=1\n",
        "two/a.yaml": 'services:\n  t: {image: t, ports: ["${TP:-6}:6"]}\n',
        "two/b.yaml": 'services:\n  t: {ports: ["7:7"]}\n',
        "two/x.env": "TP=66\n",
    },
    "names": {
        "compose.yaml": """
name: my-project
services:
  a: {image: x, network_mode: host}
  b: {image: x, network_mode: "service:a"}
  c: {image: x, ports: ["8000-8001:80"], deploy: {replicas: 2}, networks: [n, o]}
networks: {n: {name: "${NET:-given}"}, o: {external: true}}
"""
    },
    "refused address": {
        "compose.yaml": 'services:\n  a: {image: x, ports: ["localhost:8000:80"]}\n'
    },
    "refused range": {
        "compose.yaml": 'services:\n  a: {image: x, ports: ["8000-8002:80-81"]}\n'
    },
    "refused number": {
        "compose.yaml": 'services:\n  a: {image: x, ports: ["70000:80"]}\n'
    },
    "refused text": {"compose.yaml": 'services:\n  a: {image: x, ports: ["web:80"]}\n'},
    "refused blank": {
        "compose.yaml": 'services:\n  a: {image: x, ports: [" 8000:80"]}\n'
    },
    "refused target": {
        "compose.yaml": "services:\n  a: {image: x, ports: [{target: 80-81}]}\n"
    },
    "refused twice": {"compose.yaml": "services:\n  a: {image: x}\n  a: {image: y}\n"},
    "refused variable": {
        "compose.yaml": 'services:\n  a: {image: x, environment: {A: "${B-"}}\n'
    },
    "refused service": {"compose.yaml": "services:\n  a:\n"},
    "refused extends": {
        "compose.yaml": "services:\n  a: {image: x, extends: {service: b}}\n"
    },
    "refused circle": {
        "compose.yaml": "services:\n  a: {extends: b}\n  b: {extends: a}\n"
    },
    "refused protocol": {
        "compose.yaml": 'services:\n  a: {image: x, ports: ["80:80:tcp"]}\n'
    },
    "every address": {
        "compose.yaml": """
services:
  a: {image: x, ports: ["0.0.0.0:1:1", "1:1", "2:2", "0.0.0.0:2:2"]}
  b: {image: x, ports: ["0.0.0.0:1:1", "2:2"]}
""",
        "compose.override.yaml": """
services:
  b: {ports: ["1:1", "0.0.0.0:2:2"]}
""",
    },
}


def write(files: dict[str, str], folder: Path) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8", newline="\n")
    return folder


@cache
def find_compose() -> list[str] | None:
    """Docker Compose 2, where this machine has it; its `config` needs no daemon."""
    beside = str(Path(sys.executable).with_name("docker-compose"))
    for command in ([beside], ["docker", "compose"], ["docker-compose"]):
        if shutil.which(command[0]) is None:
            continue
        done = subprocess.run([*command, "version"], capture_output=True, text=True)
        if done.returncode == 0 and "version v" in done.stdout:
            return command
    return None


def ask_compose(command: list[str], folder: Path) -> dict[str, Any]:
    """What it makes of a folder; `{"refused": words}` where it refuses."""
    keep = {k: v for k, v in os.environ.items() if k in ("PATH", "HOME", "SYSTEMROOT")}
    done = subprocess.run(
        [*command, "--profile", "*", "config", "--format", "json"],
        cwd=folder,
        env=keep,
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    if not done.stdout.startswith("{"):  # one packaging of it exits with 0
        return {"refused": done.stderr.replace(str(folder), "").strip()[-200:]}
    return shorten(json.loads(done.stdout))


def shorten(config: dict[str, Any]) -> dict[str, Any]:
    networks = {k: v["name"] for k, v in (config.get("networks") or {}).items()}
    return {
        name: {
            "ports": sorted(
                [
                    port.get("host_ip", "*"),
                    _one(port.get("published", "0")),
                    port["target"],
                    port["protocol"],
                ]
                for port in service.get("ports", ())
            ),
            # compose escapes each dollar sign again.
            "environment": {
                k: v if v is None else v.replace("$$", "$")
                for k, v in (service.get("environment") or {}).items()
            },
            "networks": sorted(networks[n] for n in service.get("networks") or ()),
            "profiles": service.get("profiles", []),
            "expose": service.get("expose", []),
            "replicas": service.get("scale")
            or service.get("deploy", {}).get("replicas", 1),
            "image": service.get("image", "").replace("$$", "$"),
        }
        for name, service in config["services"].items()
    }


def _one(published: str) -> str:
    first, _, last = published.partition("-")
    return first if first == last else published


if __name__ == "__main__":
    import tempfile

    found = find_compose()
    assert found, "docker compose 2 is not installed"
    said = {}
    for case, files in CASES.items():
        top = Path(tempfile.mkdtemp()) / "stack"
        said[case] = ask_compose(found, write(files, top))
    CAPTURED.write_text(json.dumps(said, indent=1) + "\n", encoding="utf-8")
