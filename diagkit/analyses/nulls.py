"""Which NULL starts are legal: a rule over status and tasks, as data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from diagkit.errors import SettingError, suggest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from diagkit.analyses.tasks import Bools, Ints

__all__ = ["judge_nulls", "null_rule"]

WORDS = ("without_tasks", "always")


def judge_nulls(
    status: pd.Series,
    tasks: Ints,
    never_started: Sequence[str] | Mapping[str | None, str] = ("pending",),
) -> Bools:
    """Tell for each project whether a NULL start would be legal.

    Parameters
    ----------
    status
        ``execution_status`` of each project.
    tasks
        How many tasks each has.
    never_started
        As for `null_rule`.

    Returns
    -------
    numpy.ndarray
        Whether it would be.

    Raises
    ------
    SettingError
        If the rule cannot be read.

    Examples
    --------
    >>> status, tasks = pd.Series(["pending", "pending", "paused"]), np.array([0, 3, 3])
    >>> judge_nulls(status, tasks).tolist()
    [True, False, False]
    >>> judge_nulls(status, tasks, {"paused": "always"}).tolist()
    [False, False, True]
    """
    rule = null_rule(never_started)
    names = [None if pd.isna(name) else str(name) for name in status.tolist()]
    words = np.array([rule.get(name, "") for name in names], dtype=object)
    legal: Bools = (words == "always") | ((words == "without_tasks") & (tasks == 0))
    return legal


def null_rule(
    never_started: Sequence[str] | Mapping[str | None, str],
) -> dict[str | None, str]:
    """Return the rule that tells legal NULL starts from illegal ones.

    Parameters
    ----------
    never_started
        A status to ``without_tasks`` (NULL is legal while there is no task) or
        ``always``; the key None stands for projects without a status. A list of
        statuses means ``without_tasks`` for each of them, and for None.

    Returns
    -------
    dict
        The rule in the first form.

    Raises
    ------
    SettingError
        If it has another word.

    Examples
    --------
    >>> null_rule(["pending"])
    {None: 'without_tasks', 'pending': 'without_tasks'}
    """
    if not isinstance(never_started, Mapping):
        listed = [never_started] if isinstance(never_started, str) else never_started
        return dict.fromkeys((None, *listed), WORDS[0])
    rule = dict(never_started)
    for status, word in rule.items():
        if word not in WORDS:
            msg = (
                f"never_started: {status!r} is {word!r}, which is none of "
                f"{', '.join(map(repr, WORDS))}{suggest(str(word), WORDS)}"
            )
            raise SettingError(msg)
    return rule
