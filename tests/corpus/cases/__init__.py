"""The incidents: what happens in each, what is left of it, and what its cause is."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from tests.corpus.cases import (
    code,
    data,
    database,
    fresh,
    infrastructure,
    service,
    sparse,
)

if TYPE_CHECKING:
    from corpus.stage import Case

CASES = (
    *infrastructure.CASES,
    *service.CASES,
    *database.CASES,
    *code.CASES,
    *data.CASES,
    *sparse.CASES,
    *fresh.CASES,
)


def is_held_out(case: Case) -> bool:
    """Tell whether a case was left aside while weights were chosen: one of three."""
    if case.held_out is not None:
        return case.held_out
    return int(hashlib.sha256(case.name.encode()).hexdigest(), 16) % 3 == 0
