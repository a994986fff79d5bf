from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import pandas as pd
import pytest

import diagkit as dk

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

distributed = pytest.importorskip("distributed")


@pytest.fixture(scope="module")
def client() -> Iterator[object]:
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=None, processes=True
        ) as cluster,
        distributed.Client(cluster) as link,
    ):
        yield link


@pytest.fixture
def folder(tmp_path: Path, sample: Path) -> Path:
    data = (sample / "api.log").read_bytes()
    for n in range(6):
        name, pack = (f"{n}.log.gz", gzip.compress) if n % 2 else (f"{n}.log", bytes)
        (tmp_path / name).write_bytes(pack(data))
    return tmp_path


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::UserWarning")
def test_a_cluster_gives_the_same_rows(client, folder: Path) -> None:
    here = dk.read_logs(folder, tz="UTC", progress=False)
    there = dk.read_logs(folder, tz="UTC", progress=False, engine=client)
    pd.testing.assert_frame_equal(here, there)
    address = client.scheduler.address
    literal = ["QueuePool limit of size"]
    some = dk.read_logs(folder, tz="UTC", matching=literal, progress=False)
    remote = dk.read_logs(
        folder, tz="UTC", matching=literal, progress=False, engine=address
    )
    pd.testing.assert_frame_equal(some, remote)
    assert len(some) > 100


def test_an_engine_that_is_none(folder: Path) -> None:
    with pytest.raises(dk.SettingError, match=r"pass None, a distributed\.Client"):
        dk.read_logs(folder, tz="UTC", engine=5)
