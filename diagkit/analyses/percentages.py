"""Percentages that logs hold, joined to projects and to the rules that show them.

What is looked for are numbers behind a word for progress, and the project that the same
record names, in the shapes in which applications write them::

    Project farm-ledger task stats: total=40, completed=19, completion=47.5%
    Project progress calculated: {'project_id': 'reef-014', 'percentage': 51.25}
    {"project_id": "reef-014", "progress": 62.300000000000004}

A percentage that stands only in the further fields of a JSON record is not in LOGS.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from diagkit.analyses.policies import round_percent
from diagkit.analyses.start_facts import name_some
from diagkit.frames.findings import Finding, build_findings
from diagkit.frames.logs import LOGS
from diagkit.frames.percentages import MATCHES, PERCENTAGES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from diagkit.analyses.progress import StartedAtAudit

__all__ = [
    "check_percentages",
    "count_policies",
    "find_percentages",
    "match_percentages",
]

# All patterns run on RE2: linear in the text, whatever it holds.
WORTH = r"(?i)percent|progress|complet|pct|quality"
PROJECT = (
    r"\bproject(?:[_ -]?(?:id|name))?[\"']?\s*(?:[:=]\s*)?[\"']?([\pL\pN][\pL\pN_.-]*)"
)
PERCENT = (
    r"\b([a-z_]*(?:percent|pct|progress|completion|complete\b|quality)\w*)[\"']?\s*"
    r"(?:[:=]|\bis\b|\bat\b|\bof\b)?\s*[\"']?(\d{1,3}(?:\.\d{1,20})?)\b(\s*%)?"
)
# What parts a token from the text around it, and its fields from one another.
TOKEN, FIELD = "\x1c", "\x1d"
PARTS = f"{TOKEN}{FIELD}\\1{FIELD}\\2{FIELD}\\3{FIELD}\\4{TOKEN}"
# Words that follow "project" and name none.
NO_NAMES = (
    "at completed completion failed for has id is name of percent percentage progress "
    "quality s started stats status task tasks was with"
)
# Words that say that a number is a percentage, also a whole one; and what it is not.
SURE = ("percent", "pct")
NO_PERCENT = ("_s", "_ms", "_seconds", "_count", "_tasks", "_bytes", "_total")
DECIMALS = 2
# A tenth of the numbers is the least that a rule explains which is at work.
LEAST = 0.1


def find_percentages(logs: pd.DataFrame) -> pd.DataFrame:
    """Find the percentages of projects that records hold.

    Parameters
    ----------
    logs
        LOGS.

    Returns
    -------
    pandas.DataFrame
        PERCENTAGES, in the order of the logs: a row a number from 0 to 100 behind a
        word such as ``progress``, ``completion`` or ``completion_percentage``. A whole
        number counts only with ``%`` or behind a word with ``percent`` in it. Its
        project is the one that the record names last before it, else the first after
        it; missing where it names none.

    Raises
    ------
    ContractError
        If `logs` is no LOGS frame.

    Examples
    --------
    >>> from diagkit.frames.logs import LOGS
    >>> text = "Project palm-3 stats: {'total': 59, 'completion': 51.69491525423729}"
    >>> logs = LOGS.build({"message": [text], "source": ["api.log"], "line": [7],
    ...                    "lines": [1]})
    >>> found = find_percentages(logs)
    >>> found[["project_id", "percent", "unrounded", "line"]].values.tolist()
    [['palm-3', 51.69491525423729, True, 7]]
    """
    messages = pa.array(LOGS.check(logs)["message"], type=pa.large_string())
    if isinstance(messages, pa.ChunkedArray):
        messages = messages.combine_chunks()
    worth = pc.match_substring_regex(messages, WORTH).fill_null(False)
    rows = np.flatnonzero(worth.to_numpy(zero_copy_only=False))
    texts = pc.replace_substring_regex(
        messages.take(pa.array(rows)), f"[{TOKEN}{FIELD}]", " "
    )
    marked = pc.replace_substring_regex(texts, f"(?i){PROJECT}|{PERCENT}", PARTS)
    found = [
        (row, *number)
        for row, text in zip(rows.tolist(), marked.to_pylist(), strict=True)
        for number in _read(text)
    ]
    at = np.array([row for row, *_ in found], dtype=np.int64)
    data: dict[str, Any] = {
        name: logs[name].array.take(at)
        for name in ("timestamp", "logger", "source", "line")
    }
    for i, name in enumerate(("project_id", "measure", "written"), start=1):
        data[name] = [row[i] for row in found]
    written = pd.Series(data["written"], dtype="str")
    data["percent"] = written.astype("float64")
    data["unrounded"] = _decimals(written) > DECIMALS
    return PERCENTAGES.build(data)


def _read(text: str) -> Iterator[tuple[str | None, str, str]]:
    """Return project, measure and digits of each percentage of a marked text."""
    parts = text.split(TOKEN)
    project: str | None = None
    waiting: list[tuple[str, str]] = []
    # Text and tokens alternate, and a text comes first and last.
    for token, after in zip(parts[1::2], parts[2::2], strict=True):
        _, name, key, number, sign = token.split(FIELD)
        if name:
            if name.lower() not in NO_NAMES.split():
                project = name.rstrip(".")
                yield from ((project, *one) for one in waiting)
                waiting = []
        elif _is_percent(key.lower(), number, sign, after):
            measure = "quality" if "quality" in key.lower() else "progress"
            if project is None:
                waiting.append((measure, number))
            else:
                yield project, measure, number
    yield from ((None, *one) for one in waiting)


def _is_percent(key: str, number: str, sign: str, after: str) -> bool:
    if float(number) > 100 or key.endswith(NO_PERCENT):
        return False
    # 62.3.1 is a version, 12.5ms a time, 3/5 a count.
    if not sign and after[:1] == "." and after[1:2].isdigit():
        return False
    return bool(sign) or "." in number or any(word in key for word in SURE)


def match_percentages(percentages: pd.DataFrame, audit: StartedAtAudit) -> pd.DataFrame:
    """Say which rules show the percentages that were found in logs.

    Parameters
    ----------
    percentages
        PERCENTAGES.
    audit
        What `audit_started_at` returns.

    Returns
    -------
    pandas.DataFrame
        MATCHES, a row a row of `percentages`. A number with all its digits is shown by
        a rule that computes exactly it, to the last bit; one with fewer also by a rule
        whose percentage it is when rounded to them, as Python or as JavaScript rounds.

    Raises
    ------
    ContractError
        If `percentages` is no PERCENTAGES frame.

    Examples
    --------
    >>> from diagkit.analyses.progress import audit_started_at
    >>> from diagkit.frames.progress import PROJECTS, TASKS, Progress
    >>> projects = PROJECTS.build({"project_id": ["a"]})
    >>> tasks = TASKS.build({"project_id": ["a"] * 3, "task_name": ["x", "y", "z"],
    ...     "status": ["completed", "pending", "failed"],
    ...     "created_at": ["2025-11-24 10:00Z"] * 3})
    >>> audit = audit_started_at(Progress(projects, tasks))
    >>> logged = PERCENTAGES.build({"project_id": ["a"], "measure": ["progress"],
    ...     "percent": [1 / 3 * 100], "written": ["33.33333333333333"],
    ...     "unrounded": [True], "source": ["api.log"], "line": [1]})
    >>> match_percentages(logged, audit)["policies"].tolist()
    ['all_runs_uncapped, all_runs, current_run_or_all']
    """
    PERCENTAGES.check(percentages)
    table = audit.projects
    at = pd.Index(table["project_id"]).get_indexer(percentages["project_id"])
    shown = [str(c).removeprefix("percent_") for c in table.columns]
    names = [name for name in shown if f"effect_pp_{name}" in table.columns]
    quality = (percentages["measure"] == "quality").to_numpy()
    shows = {
        name: _shows(percentages, table.get(f"quality_{name}"), at) & quality
        | _shows(percentages, table[f"percent_{name}"], at) & ~quality
        for name in names
    }
    chosen = np.array(list(shows.values())).reshape(len(names), len(at)).T
    said = [", ".join(np.array(names)[row]) for row in chosen]
    return MATCHES.conform(percentages.assign(known=at >= 0, policies=said))


def _shows(percentages: pd.DataFrame, shown: pd.Series | None, at: Any) -> Any:
    if shown is None:
        return np.zeros(len(at), dtype=bool)
    values = np.append(shown.to_numpy(dtype=float), np.nan)[at]
    logged = percentages["percent"].to_numpy()
    same = values == logged
    decimals = _decimals(percentages["written"])
    for count in range(DECIMALS + 1):
        for rounding in ("half_even", "half_up"):
            rounded = round_percent(values, rounding, count)
            same |= (decimals == count) & (rounded == logged)
    return same


def _decimals(written: pd.Series) -> Any:
    text = written.str.replace(r"^[0-9]*\.?", "", regex=True)
    return text.str.len().to_numpy(dtype=np.int64)


def count_policies(matches: pd.DataFrame) -> pd.DataFrame:
    """Count for each place in the code how many of its numbers each rule shows.

    Parameters
    ----------
    matches
        MATCHES.

    Returns
    -------
    pandas.DataFrame
        A row a logger, measure and policy that shows any of its numbers: ``logger``
        (empty where the record names none), ``measure``, ``policy``, ``numbers``
        (different ones of different projects that the audit has), ``shown`` of them,
        ``share``, ``first`` and ``last`` (UTC). The rule that shows the most comes
        first.

    Raises
    ------
    ContractError
        If `matches` is no MATCHES frame.

    Examples
    --------
    >>> len(count_policies(MATCHES.empty()))
    0
    """
    table = MATCHES.check(matches)
    table = table[table["known"]].assign(
        logger=table["logger"].fillna(""), measure=table["measure"].astype("str")
    )
    place = ["logger", "measure"]
    once = table.drop_duplicates([*place, "project_id", "percent"])
    numbers = once.groupby(place).size().rename("numbers")
    times = table.groupby(place)["timestamp"].agg(first="min", last="max")
    policy = once["policies"].str.split(", ")
    each = once.assign(policy=policy).explode("policy")
    each = each[each["policy"] != ""]
    shown = (
        each.groupby([*place, "policy"], sort=False)
        .size()
        .rename("shown")
        .reset_index()
    )
    out = shown.join(numbers, on=place).join(times, on=place)
    out["share"] = out["shown"] / out["numbers"]
    order = [*place, "policy", "numbers", "shown", "share", "first", "last"]
    # A rule that is older stands before, and a stable sort leaves it there.
    return out.sort_values(
        [*place, "shown"], ascending=[True, True, False], kind="stable"
    )[order].reset_index(drop=True)


def check_percentages(matches: pd.DataFrame) -> pd.DataFrame:
    """Report percentages that were logged with all their digits, and by which rule.

    Parameters
    ----------
    matches
        MATCHES.

    Returns
    -------
    pandas.DataFrame
        FINDINGS, one a logger that writes unrounded percentages.

    Raises
    ------
    ContractError
        If `matches` is no MATCHES frame.

    Examples
    --------
    >>> len(check_percentages(MATCHES.empty()))
    0
    """
    MATCHES.check(matches)
    rules = count_policies(matches)
    raw = matches[matches["unrounded"]]
    return build_findings(
        _report(logger, part, rules[rules["logger"] == logger])
        for logger, part in raw.groupby(raw["logger"].fillna(""))
    )


def _report(logger: str, raw: pd.DataFrame, rules: pd.DataFrame) -> Finding:
    first = raw.iloc[0]
    records = len(raw)
    projects = [str(name) for name in raw["project_id"].dropna().unique()]
    whose = first["project_id"] if projects else "no project"
    return Finding(
        "unrounded_percentage",
        f"logger {logger}",
        "code",
        "low",
        f"{records} percentage{'' if records == 1 else 's'} with all the digits of a "
        f"division logged by {logger or 'a record without a logger'}: "
        f"{_say_rule(rules[rules['measure'] == 'progress'])}",
        f"first {first['written']} of {whose} at {first['source']}:{first['line']}; "
        f"of {len(projects)} projects: {name_some(projects) or 'none is named'}",
        "Round once, where it is computed; the page shows what this place sends.",
    )


def _say_rule(rules: pd.DataFrame) -> str:
    """Say which rule shows the most of a place's numbers, and what comes next."""
    best = rules[(rules["shown"] == rules["shown"].max()) & (rules["share"] >= LEAST)]
    if best.empty:
        return "no rule shows them as the tables are now"
    top, also = best.iloc[0], best["policy"].tolist()[1:]
    said = (
        f"{top['policy']} shows exactly {top['shown']} of the {top['numbers']} "
        "different numbers of this place"
    )
    if also:
        said += f" (so {'does' if len(also) == 1 else 'do'} {name_some(also)})"
    rest = rules[rules["shown"] < top["shown"]]
    if len(rest):
        said += f", the next best {rest.iloc[0]['policy']} {rest.iloc[0]['shown']}"
    return said
