"""Draw the pictures of the README and of the other pages from the bundled samples."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl

import diagkit as dk
from diagkit.charts.images import to_png

mpl.use("Agg")


def main() -> None:
    """Write the pictures into ``images/`` beside this file."""
    folder = Path(__file__).parent / "images"
    incident = dk.open_sample()
    leaks = dk.find_leaks(incident.logs)
    line = dk.count_leaks(leaks, every="15s", logs=incident.logs)
    chart = dk.plot_leaks(line, pool=incident.pool, marks=incident.marks)
    (folder / "leaks.png").write_bytes(to_png(chart))
    if incident.progress is not None:
        audit = dk.audit_started_at(incident.progress)
        (folder / "started_at.png").write_bytes(to_png(dk.plot_started_at(audit)))
        plan = dk.plan_backfill(audit)
        (folder / "backfill.png").write_bytes(to_png(dk.plot_backfill(plan)))
    shop, stacks = dk.open_sample("pool_pressure"), dk.open_sample("two_stacks")
    for name, drawn in (
        ("pool.png", dk.plot_pool(shop.pool)),
        ("holders.png", dk.plot_holders(shop.checkouts)),
        ("waits.png", dk.plot_waits(shop.checkouts)),
        ("statuses.png", dk.plot_statuses(dk.count_statuses(stacks.http, "5s"))),
    ):
        (folder / name).write_bytes(to_png(drawn))


if __name__ == "__main__":
    main()
