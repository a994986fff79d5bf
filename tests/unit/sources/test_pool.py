from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import pytest

from diagkit.errors import SourceError, SourceFormatError
from diagkit.frames.pool import ACTIVITY, POOL
from diagkit.sources.activity import read_activity
from diagkit.sources.pool import read_pool

if TYPE_CHECKING:
    from pathlib import Path

SAMPLES = """\
sampled_at,instance,pid,size,checkedin,checkedout,overflow,status
2026-11-22T15:47:25.162+00:00,single,24172,10,0,12,2,x
2026-11-22T15:47:24.162+00:00,single,24172,10,0,0,-10,x
"""
ACTIVE = """\
sampled_at,pid,application_name,state,backend_start,xact_start,query
2026-11-22T15:47:31.2+00:00,17,app,idle in transaction,2026-11-22 15:47:30.2+00,,"SELECT
 1"
"""


def test_samples_of_sqlalchemy(tmp_path: Path) -> None:
    path = tmp_path / "pool.csv"
    path.write_text(SAMPLES)
    pool = POOL.check(read_pool(path))
    assert pool["overflow"].tolist() == [0, 2]
    assert pool["checked_out"].tolist() == [0, 12]
    assert pool["pool"].tolist() == ["single", "single"]
    assert pool["max_overflow"].isna().all()
    assert [str(d) for d in pool.dtypes] == [c.dtype for c in POOL.columns]


def test_packed_files_and_several_of_them(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(SAMPLES)
    (tmp_path / "b.csv.gz").write_bytes(gzip.compress(SAMPLES.encode()))
    assert len(read_pool(tmp_path)) == 4


def test_snapshots_of_the_server(tmp_path: Path) -> None:
    path = tmp_path / "activity.csv"
    path.write_text(ACTIVE)
    activity = ACTIVITY.check(read_activity(path))
    assert activity.loc[0, "query"] == "SELECT\n 1"
    assert activity.loc[0, "state"] == "idle in transaction"
    assert activity["xact_start"].isna().all()
    assert str(activity.loc[0, "backend_start"]) == "2026-11-22 15:47:30.200000+00:00"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "the file is empty"),
        ("time,size\n2026-11-22T15:47:25Z,5\n", "no column checked_out or checkedout"),
        ("checkedout,tiem\n5,x\n", "no column timestamp or sampled_at or time"),
        ("time,checkedout\n2026-11-22T15:47:25Z,many\n", "'many' in row 1 is no whole"),
        ("time,checkedout\n2026-11-22T15:47:25Z,1.5\n", "'1.5' in row 1 is no whole"),
        ("time,checkedout\nnever,5\n", "'never' in row 1 is no time"),
        ('time,checkedout\n"x,5\n', "damaged CSV table"),
    ],
)
def test_what_cannot_be_used_is_named(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "pool.csv"
    path.write_text(text)
    with pytest.raises(SourceError, match=said) as caught:
        read_pool(path)
    assert "pool.csv" in str(caught.value)


def test_a_binary_is_no_table(tmp_path: Path) -> None:
    path = tmp_path / "pool.csv"
    path.write_bytes(b"%PDF-1.7")
    with pytest.raises(SourceFormatError, match="a PDF document"):
        read_pool(path)
