"""Incidents made on purpose: real servers on loopback, each with one fault.

`cases` is the table of all of them, `stage` plays one and writes its folder, `steps` is
what may happen in one, `servers` starts and ends what takes part, `backend` is the
application that has the faults. `judging` plays several side by side, and holds what
triage says against the cause; ``python -m tests.corpus`` prints the figures.
"""
