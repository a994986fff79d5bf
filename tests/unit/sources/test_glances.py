from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, strategies as st

from diagkit.sources import glances
from diagkit.sources.glances import Finder, Glance

TEXT = st.text(st.sampled_from("ab\n\x1b"), max_size=3000).map(str.encode)


@given(TEXT, st.sampled_from([64, 512]), st.data())
def test_slices_tell_what_the_whole_tells(
    text: bytes, size: int, data: st.DataObject
) -> None:
    cuts = data.draw(st.lists(st.integers(0, len(text)), max_size=5).map(sorted))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(glances, "SLICE_BYTES", size)
        glance = Glance(Finder([b"ab\n", b"bba"]))
        glance.see(b"\n" * 500, 0, 500)
        glance.restart()
        edges = [0, *cuts, len(text)]
        for start, stop in pairwise(edges):
            glance.see(text, start, stop)
    whole = Finder([b"ab\n", b"bba"]).find(np.frombuffer(text, np.uint8))
    colours = [at for at, byte in enumerate(text) if byte == 0x1B]
    assert {*whole, *colours} <= set(glance.places)
    assert all(
        text.startswith((b"ab\n", b"bba", b"\x1b"), place) for place in glance.places
    )
    places = data.draw(st.lists(st.integers(0, len(text)), max_size=9))
    found = glance.count_ends(np.array(places, np.int64))
    assert found.tolist() == [text.count(b"\n", 0, place) for place in places]


@pytest.mark.skipif(not hasattr(np, "bitwise_count"), reason="nothing to hold against")
def test_bits_are_counted_by_a_table_where_numpy_is_old(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    words = np.arange(24, dtype="<u8").reshape(3, 8) * 2**40
    counted = np.bitwise_count(words)
    monkeypatch.delattr(np, "bitwise_count")
    assert glances._count_bits(words).tolist() == counted.tolist()
