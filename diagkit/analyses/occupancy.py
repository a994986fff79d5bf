"""The shape of a pool's occupancy over time: what kind of trouble it is.

What a pool's users need comes and goes; what is lost stays. So the samples are put
into blocks, the calmer half of each is its level, and the levels are cut into straight
lines: slow losses are a line that rises, and what is taken or given back at once is a
jump from one line to the next.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from diagkit.errors import SettingError, suggest
from diagkit.frames.pool import POOL

if TYPE_CHECKING:
    import pandas as pd

Floats = np.ndarray[Any, np.dtype[np.float64]]

SHAPES = ("ramp", "staircase", "sawtooth", "long_transaction", "steady", "undecided")
# With fewer samples no shape is told.
LEAST_SAMPLES = 30
# Into so many blocks they are put, of so many samples at least.
BLOCKS = 70
LEAST_BLOCK = 3
# A line has to gain so many times the noise and the logarithm of the number of blocks.
PENALTY = 3.5
# Of so many blocks at least.
SHORTEST = 4
# And a slope this part of it.
SLOPE = 0.6
# A level that changes by less, or by so many times its noise, is one.
LEAST_CHANGE, CLEAR = 0.6, 1.5
# A fall by so much of what was lost before gives it back.
FALL = 0.6
# A rise is sudden where so much of it is jumps, a staircase where they are so high.
SUDDEN, STEP = 0.52, 2.0
_SAID = {
    "ramp": "connections are lost one by one: a leak in what runs all the time",
    "staircase": "connections are lost several at a time: a leak in a job or a burst",
    "sawtooth": "connections are lost and given back at once: the garbage collector, a "
    "recycling, or a restart makes up for a leak",
    "long_transaction": "connections were kept for a time and given back: a long "
    "transaction, or a query that waited",
    "steady": "the level does not change: no connection is kept",
    "undecided": "the level changes in a way that fits no shape",
}


@dataclass(frozen=True)
class PoolShape:
    """The shape of one pool's occupancy.

    Attributes
    ----------
    pool
        Its name.
    name
        One of ``ramp``, ``staircase``, ``sawtooth``, ``long_transaction``, ``steady``,
        ``undecided``.
    rise
        By how many connections the level rose in all.
    falls
        How often most of that was given back.
    evidence
        The figures, in words.
    """

    pool: str
    name: str
    rise: int
    falls: int
    evidence: str

    @property
    def conclusion(self) -> str:
        """What it says, in one sentence."""
        return f"{_SAID[self.name]} ({self.evidence})"


@dataclass(frozen=True)
class Line:
    """A straight line through blocks: where it begins, and its ends."""

    begin: int
    first: float
    last: float


@dataclass(frozen=True)
class _Rise:
    """By how much a level rose, how much of that in jumps, and in how many."""

    size: float = 0.0
    jumped: float = 0.0
    jumps: int = 0

    def more(self, size: float, jumps: int = 0) -> _Rise:
        jumped = size if jumps else 0.0
        return _Rise(self.size + size, self.jumped + jumped, self.jumps + jumps)

    def less(self, size: float) -> _Rise:
        if size >= self.size:
            return _Rise()
        return _Rise(self.size - size, self.jumped * (1 - size / self.size), self.jumps)


def find_shape(pool: pd.DataFrame, name: str | None = None) -> PoolShape:
    """Tell what kind of trouble a pool's occupancy shows.

    Parameters
    ----------
    pool
        POOL.
    name
        Which pool, where there are several.

    Returns
    -------
    PoolShape
        Its name is ``undecided`` where there are too few samples.

    Raises
    ------
    ContractError
        If `pool` is no POOL frame.
    SettingError
        If there is no such pool, or there are several and none is named.

    Examples
    --------
    >>> import pandas as pd
    >>> times = pd.date_range("2025-11-24", periods=120, freq="10s", tz="UTC")
    >>> out = [i // 20 for i in range(120)]
    >>> pool = POOL.build({"timestamp": times, "pool": "app", "checked_out": out})
    >>> print(find_shape(pool).name)
    ramp
    """
    samples = choose_pool(pool, name)
    named = str(samples["pool"].iloc[0]) if len(samples) else str(name)
    if len(samples) < LEAST_SAMPLES:
        few = f"{len(samples)} samples are too few"
        return PoolShape(named, "undecided", 0, 0, few)
    levels = find_blocks(samples["checked_out"].to_numpy(np.float64))
    return _name(named, levels, find_lines(levels))


def choose_pool(pool: pd.DataFrame, name: str | None = None) -> pd.DataFrame:
    """Return the samples of one pool that say how many connections are out.

    Parameters
    ----------
    pool
        POOL.
    name
        Which pool; it may be left out where there is only one.

    Returns
    -------
    pandas.DataFrame
        POOL, in order of time.

    Raises
    ------
    ContractError
        If `pool` is no POOL frame.
    SettingError
        If there is no such pool, or there are several and none is named.
    """
    known = POOL.check(pool)[pool["checked_out"].notna()]
    names = sorted(known["pool"].unique())
    if name is None and len(names) > 1:
        msg = f"there are several pools: name one of {', '.join(names)}"
        raise SettingError(msg)
    if name is not None:
        if name not in names:
            msg = f"there are no samples of pool {name!r}{suggest(name, names)}"
            raise SettingError(msg)
        known = known[known["pool"] == name]
    return known.sort_values("timestamp", kind="stable", ignore_index=True)


def find_blocks(out: Floats) -> Floats:
    """Return the level of each block of samples: the mean of the calmer half.

    Parameters
    ----------
    out
        How many connections are out, a number a sample.

    Returns
    -------
    numpy.ndarray
        A number a block.

    Examples
    --------
    >>> find_blocks(np.array([1.0, 9.0, 1.0, 2.0, 2.0, 8.0])).tolist()
    [1.0, 2.0]
    """
    count = min(BLOCKS, len(out) // LEAST_BLOCK)
    edges = np.linspace(0, len(out), count + 1).astype(int)
    parts = [np.sort(out[a:b]) for a, b in itertools.pairwise(edges.tolist())]
    return np.array([part[: (len(part) + 1) // 2].mean() for part in parts])


def find_lines(levels: Floats) -> list[Line]:
    """Cut blocks into straight lines.

    The cuts are those that make the sum of squares and a penalty for each line least,
    over all ways to cut (Jackson et al. 2005).

    Parameters
    ----------
    levels
        A number a block.

    Returns
    -------
    list of Line
        One after the other.

    Examples
    --------
    >>> [(line.begin, round(line.first, 6), round(line.last, 6))
    ...  for line in find_lines(np.repeat([1.0, 4.0, 2.0], 20))]
    [(0, 1.0, 1.0), (20, 4.0, 4.0), (40, 2.0, 2.0)]
    """
    noise = max(_noise(levels), (LEAST_CHANGE / 4) ** 2)
    cuts = _cut(levels, PENALTY * noise * float(np.log(len(levels))))
    lines = []
    for (begin, sloping), (end, _) in itertools.pairwise([*cuts, (len(levels), False)]):
        part = levels[begin:end]
        middle = float(part.mean())
        rise = 0.0
        if sloping:
            slope = float(np.polyfit(np.arange(len(part)), part, 1)[0])
            rise = slope * (len(part) - 1)
        lines.append(Line(begin, middle - rise / 2, middle + rise / 2))
    return lines


def _noise(levels: Floats) -> float:
    """Return the variance of a level by itself, whatever trend or steps there are."""
    found = []
    for lag in (1, 2):
        bend = levels[2 * lag :] - 2 * levels[lag:-lag] + levels[: -2 * lag]
        found.append(float(np.median(np.abs(bend)) / 0.6745) ** 2 / 6)
    return max(found)


def _cut(levels: Floats, penalty: float) -> list[tuple[int, bool]]:
    """Return where the lines of the best segmentation begin, and which have a slope."""
    count = len(levels)
    at = np.arange(count, dtype=np.float64)

    def total(values: Floats) -> Floats:
        return np.concatenate(([0.0], np.cumsum(values)))

    n, x, y = np.arange(count + 1.0), total(at), total(levels)
    xx, xy, yy = total(at * at), total(at * levels), total(levels * levels)
    best = np.zeros(count + 1)
    best[0] = -penalty
    last = np.zeros(count + 1, int)
    slopes = np.zeros(count + 1, bool)
    for end in range(1, count + 1):
        size, mx, my = (sums[end] - sums[:end] for sums in (n, x, y))
        spread = xx[end] - xx[:end] - mx * mx / size
        shared = xy[end] - xy[:end] - mx * my / size
        cost = yy[end] - yy[:end] - my * my / size
        gain = np.divide(shared * shared, spread, out=np.zeros(end), where=size > 2)
        sloping = gain > SLOPE * penalty
        cost -= np.where(sloping, gain - SLOPE * penalty, 0.0)
        every = best[:end] + np.maximum(cost, 0.0) + penalty
        every[size < SHORTEST] = np.inf
        last[end] = int(every.argmin())
        best[end] = every[last[end]]
        slopes[end] = sloping[last[end]]
    cuts = []
    while count:
        cuts.append((int(last[count]), bool(slopes[count])))
        count = int(last[count])
    return cuts[::-1]


def _name(pool: str, levels: Floats, lines: list[Line]) -> PoolShape:
    least = max(LEAST_CHANGE, CLEAR * _noise(levels) ** 0.5)
    rises, falls = _episodes(lines, least)
    up = sum(rise.size for rise in rises)
    if not rises:
        said = f"{levels.mean():.1f} out throughout"
        return PoolShape(pool, "steady", 0, 0, said)
    said = f"the level rose by {up:.1f}, and fell back {falls} times"
    if falls:
        gradual = sum(rise.jumped < SUDDEN * rise.size for rise in rises[:falls])
        name = "sawtooth" if 2 * gradual > falls else "long_transaction"
    elif rises[0].jumped < SUDDEN * up:
        name = "ramp"
    elif rises[0].jumps < 2:
        name = "undecided"
    else:
        name = "staircase" if rises[0].jumped >= STEP * rises[0].jumps else "ramp"
    return PoolShape(pool, name, round(up), falls, said)


def _episodes(lines: list[Line], least: float) -> tuple[list[_Rise], int]:
    """Return the rises before each fall that gives most back, and how many falls."""
    rises: list[_Rise] = []
    now = _Rise()
    falls = 0
    end = lines[0].first
    for line in lines:
        jump, creep = line.first - end, line.last - line.first
        end = line.last
        if jump > 0:
            now = now.more(jump, 1 if jump >= least else 0)
        elif now.size >= least and -jump >= FALL * now.size:
            rises.append(now)
            now, falls = _Rise(), falls + 1
        elif jump < 0:
            # What goes down by little was no loss.
            now = now.less(-jump)
        now = now.more(creep) if creep > 0 else now.less(-creep)
    if now.size >= least:
        rises.append(now)
    return rises, falls
