from __future__ import annotations

import json
import traceback
from typing import TYPE_CHECKING

import pandas as pd
import pytest

from diagkit.analyses.stackframes import find_frames
from diagkit.errors import ContractError
from diagkit.frames.logs import LOGS
from diagkit.frames.stackframes import STACKFRAMES
from diagkit.sources.logs import read_logs

if TYPE_CHECKING:
    from pathlib import Path


def make_logs(*tracebacks: str | None) -> pd.DataFrame:
    count = len(tracebacks)
    return LOGS.build(
        {
            "message": ["failed"] * count,
            "traceback": list(tracebacks),
            "source": ["a.log"] * count,
            "line": range(1, count + 1),
            "lines": [1] * count,
        }
    )


def test_frames_of_a_real_traceback_are_those_that_python_had() -> None:
    def inner() -> None:
        raise KeyError(1)

    try:
        inner()
    except KeyError as error:
        expected = [
            (frame.filename, frame.lineno, frame.name)
            for frame in traceback.extract_tb(error.__traceback__)
        ]
        text = "".join(traceback.format_exception(error))
    frames = find_frames(make_logs(None, text))
    got = frames[["file", "file_line", "function"]].itertuples(index=False, name=None)
    assert list(got) == expected
    assert frames["line"].tolist() == [2, 2]
    assert frames["position"].tolist() == [0, 1]


@pytest.mark.parametrize(
    ("file", "own"),
    [
        ("/srv/app/db.py", True),
        ("C:\\app\\db.py", True),
        ("/srv/venv/lib/python3.12/site-packages/sqlalchemy/pool.py", False),
        ("/usr/local/lib/python3.12/asyncio/tasks.py", False),
        ("C:\\Python312\\Lib\\asyncio\\tasks.py", False),
        ("<frozen importlib._bootstrap>", False),
    ],
)
def test_the_application_is_told_from_libraries(file: str, own: bool) -> None:
    frames = find_frames(make_logs(f'  File "{file}", line 3, in f'))
    assert frames["application"].tolist() == [own]


def test_frames_of_java() -> None:
    text = (
        "java.sql.SQLException: x\n"
        "\tat com.zaxxer.hikari.pool.HikariPool.get(HikariPool.java:696)\n"
        "\tat app//com.shop.Orders$1.load(Orders.java:17)\n"
        "\tat java.base/java.lang.Thread.run(Thread.java:833)\n"
        "\tat com.shop.Native.call(Native Method)\n"
    )
    frames = find_frames(make_logs(text))
    assert frames["function"].tolist() == [
        "com.zaxxer.hikari.pool.HikariPool.get",
        "com.shop.Orders$1.load",
        "java.lang.Thread.run",
    ]
    assert frames["application"].tolist() == [False, True, False]
    assert frames["file_line"].tolist() == [696, 17, 833]


def test_without_tracebacks_there_are_no_frames() -> None:
    for logs in (LOGS.empty(), make_logs(None)):
        assert STACKFRAMES.check(find_frames(logs)).empty


def test_what_is_no_logs_frame_is_refused() -> None:
    with pytest.raises(ContractError, match="not a LOGS frame"):
        find_frames(pd.DataFrame({"a": [1]}))


def test_the_frames_of_loguru_stand_in_the_text_of_its_json(tmp_path: Path) -> None:
    """What `serialize=True` of loguru 0.7 wrote, its values of variables with it."""
    trace = (
        "Traceback (most recent call last):\n\n"
        '> File "/srv/app.py", line 11, in <module>\n    outer("hunter2")\n'
        "    └ <function outer at 0x7f1e7b4b16c0>\n\n"
        '  File "/srv/app.py", line 8, in outer\n    return 1 / x\n'
        "               └ 0\n\nZeroDivisionError: division by zero\n"
    )
    record = {
        "exception": {"type": "ZeroDivisionError", "value": "division", "traceback": 1},
        "level": {"name": "ERROR", "no": 40},
        "message": "failed: Traceback (most recent call last):",
        "name": "app",
        "time": {"timestamp": 1795383154.704701},
    }
    text = f"21:32:34 | ERROR | app:<module>:13 - {record['message']}\n{trace}"
    quiet = record | {"exception": {"type": None, "value": None, "traceback": False}}
    own = record | {"message": "failed"}
    path = tmp_path / "api.jsonl"
    with path.open("w", encoding="utf-8") as stream:
        for one, said in (
            (record, text),
            (quiet | {"message": "x"}, "x\nNoneType: None\n"),
            # Whoever writes the text may leave the traceback out.
            (own, "failed\n"),
        ):
            stream.write(json.dumps({"text": said, "record": one}) + "\n")
    logs = read_logs(path, tz="UTC", progress=False)
    error = "ZeroDivisionError"
    assert logs["exception"].fillna("").tolist() == [error, "", error]
    assert not logs["traceback"].str.contains("0x7f|└", na=False).any()
    frames = find_frames(logs)
    columns = ["line", "file", "file_line", "function"]
    assert frames[columns].values.tolist() == [
        [1, "/srv/app.py", 11, "<module>"],
        [1, "/srv/app.py", 8, "outer"],
    ]
