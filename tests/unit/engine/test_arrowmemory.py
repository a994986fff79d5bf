from __future__ import annotations

import pyarrow as pa
import pytest

from diagkit.engine.arrowmemory import plain_memory


def test_the_usual_memory_comes_back_after_the_last() -> None:
    usual = pa.default_memory_pool().backend_name
    with plain_memory():
        with plain_memory():
            made = pa.array(["a", "b"])
        assert pa.default_memory_pool().backend_name == "system"
    assert pa.default_memory_pool().backend_name == usual
    assert made.to_pylist() == ["a", "b"]


def test_it_comes_back_after_an_error_too() -> None:
    usual = pa.default_memory_pool().backend_name
    with pytest.raises(KeyError), plain_memory():
        raise KeyError
    assert pa.default_memory_pool().backend_name == usual
