"""The rules by which a dashboard turned tasks into a percentage, as data.

The case study's dashboard changed its rule six times in ten days; `POLICIES` holds each
of them and the audit's own three. One's own rule is one line::

    ProgressPolicy("ours", null="all", numerator=("completed", "cancelled"))

Every rule computes ``done / total * 100`` in this order of operations: the original
function did, and ``done * 100 / total`` differs from it in the last bit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from diagkit.analyses.tasks import (
    NAT as NAT,
    TaskBook as TaskBook,
    microseconds as microseconds,
)
from diagkit.errors import SettingError, suggest

if TYPE_CHECKING:
    from diagkit.analyses.tasks import (
        Book,
        Bools as Bools,
        Floats as Floats,
        Ints as Ints,
    )

__all__ = [
    "INFERRED",
    "POLICIES",
    "ProgressPolicy",
    "Shown",
    "TaskBook",
    "apply_policy",
    "round_percent",
]

# What each option of a policy may be.
CHOICES: dict[str, tuple[str | None, ...]] = {
    "population": ("all", "run"),
    "null": ("all", "none", "exclude", "inferred"),
    "unit": ("row", "logical"),
    "rounding": (None, "half_even", "half_up"),
}
QUALITY_DECIMALS = 2
COMPLETED = ("completed",)


@dataclass(frozen=True)
class ProgressPolicy:
    """One rule that turns a project's tasks into a percentage.

    Attributes
    ----------
    name
        Its name; columns of the audit end in it.
    since
        The date from which the dashboard used it, where it did.
    population
        ``all``: every task of the project. ``run``: those with ``created_at`` at or
        after ``execution_started_at``.
    null
        What a NULL start means: ``all`` tasks count, ``none`` do, the project is left
        out (``exclude``: its percentage is missing), or the start is ``inferred``.
    unit
        ``row``: every row counts. ``logical``: rows of one ``task_name`` and
        ``agent_type`` (a main and a backup agent's) count once; a row without a name
        counts by itself.
    numerator
        The statuses that count as done; a logical task does if any of its rows does.
    cap
        Whether the result is cut to 0..100.
    rounding
        None: the raw number. ``half_even``: to a whole number as Python's ``round``.
        ``half_up``: as JavaScript's ``Math.round``.
    quality
        Whether the rule also shows a quality: completed of all, with two decimals.

    Raises
    ------
    SettingError
        If an option is none of the above.

    Examples
    --------
    >>> ProgressPolicy("ours", null="all").rounding
    'half_even'
    >>> ProgressPolicy("ours", null="everything")
    Traceback (most recent call last):
        ...
    diagkit.errors.SettingError: policy 'ours': null='everything' is none of 'all', ...
    """

    name: str
    since: str = ""
    population: str = "run"
    null: str = "none"
    unit: str = "row"
    numerator: tuple[str, ...] = ("completed", "failed")
    cap: bool = True
    rounding: str | None = "half_even"
    quality: bool = False

    def __post_init__(self) -> None:
        if not self.name.isidentifier():
            msg = f"policy {self.name!r}: a name is of letters, digits and _"
            raise SettingError(msg)
        for option, allowed in CHOICES.items():
            value = getattr(self, option)
            if value not in allowed:
                near = suggest(str(value), [a for a in allowed if a])
                msg = (
                    f"policy {self.name!r}: {option}={value!r} is none of "
                    f"{', '.join(map(repr, allowed))}{near}"
                )
                raise SettingError(msg)
        numerator: object = self.numerator
        if not isinstance(numerator, tuple) or not numerator:
            msg = (
                f"policy {self.name!r}: numerator={self.numerator!r} is no tuple of "
                "statuses; write ('completed', 'failed')"
            )
            raise SettingError(msg)


# The baseline of every effect. It is the newest rule with nothing changed but what NULL
# means, so that an effect of `current_run_or_zero` is the effect of NULL alone.
INFERRED = ProgressPolicy("inferred", null="inferred", unit="logical", quality=True)

POLICIES: tuple[ProgressPolicy, ...] = (
    ProgressPolicy(
        "all_runs_uncapped",
        "2025-11-20",
        population="all",
        null="all",
        numerator=("completed",),
        cap=False,
        rounding=None,
    ),
    ProgressPolicy(
        "all_runs",
        "2025-11-21",
        population="all",
        null="all",
        numerator=("completed",),
        rounding=None,
    ),
    ProgressPolicy(
        "current_run_or_all",
        "2025-11-25",
        null="all",
        numerator=("completed",),
        rounding=None,
    ),
    # On 28 November the quality was added, and the percentage stayed.
    ProgressPolicy(
        "current_run_or_all_finished", "2025-11-26", null="all", quality=True
    ),
    ProgressPolicy("current_run_or_zero", "2025-11-29", unit="logical", quality=True),
    # `created_at >= NULL` is true for no row: what a hand-written query shows.
    ProgressPolicy("sql_null"),
    ProgressPolicy("exclude", null="exclude", unit="logical", quality=True),
    INFERRED,
)


@dataclass(frozen=True, eq=False)
class Shown:
    """What a policy shows, project by project.

    Attributes
    ----------
    percent
        In %; missing where the policy has none for the project.
    raw
        The same before it was rounded.
    quality
        In %, with two decimals; missing likewise.
    tasks
        How many tasks are in the policy's population, in rows.
    raw_quality
        The quality before it was rounded.
    """

    percent: Floats
    raw: Floats
    quality: Floats
    tasks: Ints
    raw_quality: Floats


def apply_policy(
    policy: ProgressPolicy, book: Book, starts: Ints, inferred: Ints
) -> Shown:
    """Compute what a policy shows for every project.

    Parameters
    ----------
    policy
        The rule.
    book
        The tasks.
    starts
        ``execution_started_at`` of each project in microseconds; `NAT` where NULL.
    inferred
        The inferred starts likewise; `NAT` where the data hold no evidence.

    Returns
    -------
    Shown
        Percentages, qualities and the tasks that were counted. A project without
        tasks shows 0.0.
    """
    null = starts == NAT
    every = policy.population == "all" or (null & (policy.null == "all"))
    unknown = np.zeros(book.projects, dtype=bool)
    if policy.null == "inferred":
        starts = np.where(null, inferred, starts)
        unknown = null & (inferred == NAT) & (book.rows > 0)
    elif policy.null == "exclude":
        unknown = null
    every = np.broadcast_to(every, (book.projects,)) & ~unknown
    known = (starts != NAT) & ~unknown
    chosen = book.choose(every, np.where(known, starts, NAT))
    total = chosen.count(policy.unit)
    done = chosen.count(policy.unit, policy.numerator)
    percent = _divide(done, total)
    if policy.cap:
        percent = np.clip(percent, 0.0, 100.0)
    percent[unknown] = np.nan
    completed = chosen.count(policy.unit, COMPLETED)
    quality = _divide(completed, total)
    quality[unknown] = np.nan
    return Shown(
        round_percent(percent, policy.rounding),
        percent,
        round_percent(quality, "half_even", QUALITY_DECIMALS),
        chosen.count("row"),
        quality,
    )


def round_percent(percent: Floats, rounding: str | None, decimals: int = 0) -> Floats:
    """Round percentages as Python or as JavaScript does.

    Parameters
    ----------
    percent
        Any numbers.
    rounding
        None, ``half_even`` (Python's ``round(x, decimals)``) or ``half_up``
        (JavaScript's ``Math.round(x * 100) / 100`` for two decimals).
    decimals
        How many decimals are kept.

    Returns
    -------
    numpy.ndarray
        The rounded numbers.

    Examples
    --------
    >>> import numpy as np
    >>> round_percent(np.array([12.5, 37.5]), "half_even").tolist()
    [12.0, 38.0]
    >>> round_percent(np.array([12.5, 37.5]), "half_up").tolist()
    [13.0, 38.0]
    >>> round_percent(np.array([3.125]), "half_even", decimals=2).tolist()
    [3.12]
    >>> round_percent(np.array([3.125]), "half_up", decimals=2).tolist()
    [3.13]
    """
    if rounding is None:
        return percent.copy()
    if rounding == "half_even" and decimals:
        # numpy rounds to decimals by multiplying, Python by the exact decimal
        # expansion: the two differ in the last digit.
        values = [round(value, decimals) for value in percent.tolist()]
        return np.array(values, dtype=np.float64)
    if rounding == "half_even":
        return np.rint(percent)
    scale = 10.0**decimals
    scaled = percent * scale
    below = np.floor(scaled)
    rounded: Floats = (below + (scaled - below >= 0.5)) / scale
    return rounded


def _divide(part: Ints, total: Ints) -> Floats:
    safe = np.where(total > 0, total, 1)
    return np.where(total > 0, part / safe * 100, 0.0)
