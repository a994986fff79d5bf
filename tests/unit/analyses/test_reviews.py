"""The findings of two runs side by side, against a plain loop."""

from __future__ import annotations

from hypothesis import given, strategies as st

import diagkit as dk
from diagkit.frames.findings import SEVERITIES, Finding, build_findings
from diagkit.frames.reviews import DIFFERENCES, REVIEWS

ROWS = st.dictionaries(
    st.sampled_from("abcdef"),
    st.tuples(st.sampled_from(SEVERITIES), st.sampled_from(["3 lost", "9 lost"])),
)
DECISIONS = st.lists(
    st.tuples(
        st.sampled_from("abcdefx"),
        st.sampled_from(["accept", "dispute", "comment"]),
        st.sampled_from(["Sam", "Kim"]),
        st.sampled_from(["3 lost (high)", "9 lost (high)", "3 lost (low)", " ()"]),
    ),
    max_size=12,
)


def findings(rows: dict[str, tuple[str, str]]):
    return build_findings(
        Finding("leak", subject, "code", severity, summary, "evidence", "remedy")
        for subject, (severity, summary) in rows.items()
    )


def reviews(decisions: list[tuple[str, str, str, str]], order=None):
    turns: dict[str, int] = {}
    numbered = []
    for one in decisions:
        turns[one[0]] = turns.get(one[0], 0) + 1
        numbered.append((*one, turns[one[0]]))
    decisions = [numbered[place] for place in order or range(len(numbered))]
    ids = {key: Finding("leak", key, "", "", "", "", "").id for key in "abcdefx"}
    return REVIEWS.build(
        {
            "finding": [ids[d[0]] for d in decisions],
            "decision": [d[1] for d in decisions],
            "by": [d[2] for d in decisions],
            "text": ["" for _ in decisions],
            "said": [d[3].partition(" (")[0] for d in decisions],
            "severity": [d[3].partition(" (")[2].strip(")") for d in decisions],
            "turn": [d[4] for d in decisions],
        }
    )


def expected_change(was, now) -> str:
    if was is None:
        return "new"
    if now is None:
        return "gone"
    if was[0] != now[0]:
        low = SEVERITIES.index(now[0]) < SEVERITIES.index(was[0])
        return "better" if low else "worse"
    return "same" if was == now else "changed"


def expected_state(mine, now: str) -> str:
    last = {}
    for _, decision, by, said in mine:
        if decision != "comment":
            last[by] = (decision, said)
    if ("dispute", now) in last.values():
        return "disputed"
    if [said for _, said in last.values() if said != now]:
        return "outdated"
    return "accepted" if last else "open"


@given(base=ROWS, head=ROWS, decided=DECISIONS)
def test_each_finding_of_either_is_told(base, head, decided) -> None:
    changes = dk.compare_findings(findings(base), findings(head), reviews(decided))
    want = {}
    for key in base | head:
        name = Finding("leak", key, "", "", "", "", "").id
        now = head[key][1] if key in head else ""
        full = f"{now} ({head[key][0]})" if key in head else " ()"
        mine = [d for d in decided if d[0] == key]
        change = expected_change(base.get(key), head.get(key))
        want[name] = (change, expected_state(mine, full), now)
    got = {
        row.finding: (row.change, row.state, row.now)
        for row in changes.itertuples(index=False)
    }
    assert got == want
    places = [DIFFERENCES.index(change) for change in changes["change"]]
    assert places == sorted(places)


@given(data=st.data(), decided=DECISIONS)
def test_the_order_of_lines_is_of_no_matter(data, decided) -> None:
    """A merge of branches keeps no order."""
    order = data.draw(st.permutations(range(len(decided))))
    rows = findings(dict.fromkeys("abcdef", ("high", "3 lost")))
    states = [
        dk.compare_findings(rows, rows, reviews(decided, some))["state"].tolist()
        for some in (None, order)
    ]
    assert states[0] == states[1]


def test_of_what_one_person_decided_on_two_branches_the_dispute_counts() -> None:
    rows = findings({"a": ("high", "3 lost")})
    said = reviews(
        [
            ("a", "accept", "Sam", "3 lost (high)"),
            ("a", "dispute", "Sam", "3 lost (high)"),
        ]
    )
    said["turn"] = 1
    for merged in (said, said.iloc[::-1]):
        (state,) = dk.compare_findings(rows, rows, merged)["state"]
        assert state == "disputed"


def test_what_became_worse_is_accepted_anew() -> None:
    said = reviews([("a", "accept", "Sam", "3 lost (low)")])
    low, high = (findings({"a": (s, "3 lost")}) for s in ("low", "high"))
    assert dk.compare_findings(low, low, said)["state"].tolist() == ["accepted"]
    assert dk.compare_findings(low, high, said)["state"].tolist() == ["outdated"]


def test_who_says_what_is_told() -> None:
    rows = findings({"a": ("high", "3 lost")})
    said = reviews([("a", "accept", "Sam", "3 lost"), ("a", "dispute", "Kim", "2")])
    said.loc[1, "text"] = "the pool was resized that day"
    one = dk.compare_findings(rows, rows, said).iloc[0]
    assert one["reviews"] == (
        "Sam accepted; Kim disputed: the pool was resized that day"
    )
    assert one["state"] == "outdated"
