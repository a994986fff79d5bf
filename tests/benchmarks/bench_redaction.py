"""How fast text is redacted: `uv run python tests/benchmarks/bench_redaction.py`.

Ordinary log lines, one by one and as one text, against a single plain pass of `re.sub`
over the same lines; and hostile text of a megabyte a piece, of which the slowest shows.
"""

from __future__ import annotations

import random
import re
import sys
import time
from typing import TYPE_CHECKING

from make_log import LEAK, LOGGERS, MESSAGES, TIMEOUT

from diagkit.redaction.text import redact_text

if TYPE_CHECKING:
    from collections.abc import Callable

LINES = 20_000
MEGABYTE = 1_000_000
PEER = re.compile(r"(?i)(password|token)=\S+")
HOSTILE = (
    *("Key (", "Key (a)=(", "eyJaaaaa-", "-----BEGIN PRIVATE KEY-----", "a://", "\\"),
    *("Failing row contains (", "─ locals ─╮ ", "─ locals ─╮\n", "password='", "@a."),
    *('password="x ', "password= ", "password", '"locals": {\n', "'locals': {'", "ab."),
    *("[parameters: ]\n", "cookie: a; ", "authorization: ", "Bearer ", "4444 ", "1.1."),
    *("2a00:", "a@a.", "%40a", "sk-a", "curl ", "--token ", "token: [", "(b'", "\x1b["),
    *("secret=a,b=", "<password>", "input_value=", "user='", "└ ", " ", "\n", "(", '"'),
)


def make_lines() -> list[str]:
    draw = random.Random(20261128)
    lines = []
    for number in range(LINES):
        said = draw.choice([*MESSAGES, *MESSAGES, TIMEOUT, LEAK])
        said = said.format(draw.randrange(10**6)) if "{}" in said else said
        at = f"2025-11-24 10:{number // 60 % 60:02d}:{number % 60:02d}"
        lines.append(f"{at} [INFO    ] {draw.choice(LOGGERS)}: {said}")
    return lines


def measure(work: Callable[[], object]) -> float:
    best = float("inf")
    for _ in range(3):
        start = time.process_time()
        work()
        best = min(best, time.process_time() - start)
    return best


def main() -> None:
    lines = make_lines()
    whole = "\n".join(lines)
    size = len(whole) / MEGABYTE
    for name, work in {
        "redact_text, a line": lambda: [redact_text(line) for line in lines],
        "redact_text, at once": lambda: redact_text(whole),
        "re.sub, a line": lambda: [PEER.sub("", line) for line in lines],
        "re.sub, at once": lambda: PEER.sub("", whole),
    }.items():
        sys.stdout.write(f"{name:22} {size / measure(work):6.2f} MB/s\n")
    slowest = []
    # The first argument may be a smaller size, in characters.
    size = int(sys.argv[1]) if len(sys.argv) > 1 else MEGABYTE
    for piece in HOSTILE:
        text = piece * (size // len(piece))
        start = time.process_time()
        redact_text(text)
        taken = (time.process_time() - start) * MEGABYTE / size
        slowest.append((taken, piece))
    for taken, piece in sorted(slowest, reverse=True)[:3]:
        sys.stdout.write(f"hostile {piece!r:24} {taken:6.2f} s/MB\n")


if __name__ == "__main__":
    main()
