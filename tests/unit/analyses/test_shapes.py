from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, strategies as st

from diagkit.analyses import shapes
from diagkit.analyses.shapes import Shapes, as_texts, encode, fold, holds, spread, take

TEXTS = st.lists(
    st.sampled_from(
        ["up", "at 0x7f1a", "at 0x7F1", "port 5432", "port 543", "0xfg", ""]
    )
    | st.text(alphabet="0x1f aé", max_size=12),
    max_size=30,
)
FOLDED = re.compile(r"0x[0-9a-fA-F]+\b|[0-9]{4,}", re.ASCII)


def strings(texts: list[str | None]) -> pa.Array:
    return pa.array(texts, type=pa.large_string())


@given(TEXTS, st.integers(1, 5))
def test_shapes_are_those_of_a_loop(texts: list[str], times: int) -> None:
    """Whether texts repeat decides how they are folded, and nothing else."""
    texts = texts * times
    distinct, codes = fold(strings(texts))
    assert [distinct[c].as_py() for c in codes] == [
        FOLDED.sub("\x1a", text) for text in texts
    ]
    assert len(set(distinct.to_pylist())) == len(distinct)


@given(TEXTS, st.data())
def test_a_text_is_folded_when_it_is_asked_for(texts: list[str], data) -> None:
    some = Shapes(strings(texts))
    wanted = st.lists(st.integers(0, len(texts) - 1), max_size=8) if texts else None
    for _ in range(3 if texts else 0):
        rows = np.array(data.draw(wanted), dtype=np.int64)
        found = [some.known[code] for code in some.look_up(rows)]
        assert found == [FOLDED.sub("\x1a", texts[row]) for row in rows]
    assert len(set(some.known)) == len(some.known)


def test_where_nothing_may_be_folded_each_text_is_a_shape() -> None:
    some = Shapes(strings(["a 0x1", "a 0x2", "a 0x1"]), fold=False)
    assert some.look_up(np.arange(3)).tolist() == [0, 1, 0]
    assert some.known == ["a 0x1", "a 0x2"]


@given(st.lists(st.sampled_from(["a", "b", "", None]), max_size=20))
def test_distinct_texts_and_their_codes(texts: list[str | None]) -> None:
    distinct, codes = encode(strings(texts))
    assert [None if c < 0 else distinct[c].as_py() for c in codes] == texts
    assert take(distinct, codes).to_pylist() == texts


def test_all_texts_are_taken_without_a_copy() -> None:
    texts = strings(["a", "b"])
    assert take(texts, np.arange(2)) is texts
    assert take(texts, np.array([1, -1])).to_pylist() == ["b", None]


@pytest.mark.parametrize("processors", [None, 1, 3, 64])
def test_pieces_give_what_the_whole_gives(processors: int | None, monkeypatch) -> None:
    monkeypatch.setattr(shapes.os, "cpu_count", lambda: processors)
    monkeypatch.setattr(shapes, "PIECE_BYTES", 16)
    texts = strings([f"number {n}" if n % 7 else None for n in range(100)])
    lengths = spread(pc.utf8_length, texts)
    assert lengths.to_pylist() == pc.utf8_length(texts).to_pylist()
    assert np.flatnonzero(holds(texts, "1$")).tolist() == [
        n for n in range(100) if n % 7 and n % 10 == 1
    ]
    assert spread(pc.utf8_length, strings([])).to_pylist() == []


def test_a_column_in_pieces_is_one() -> None:
    column = pd.concat([pd.Series(["a", None], dtype="str")] * 2, ignore_index=True)
    texts = as_texts(column)
    assert isinstance(texts, pa.Array)
    assert texts.to_pylist() == ["a", None, "a", None]
