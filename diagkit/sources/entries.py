"""What a recorder notes of an event: values at once, a line of JSON when it is written.

An entry is a tuple: the template of its line, then the template's values; the first
three are always the time, how many connections are out, and how many callers wait.
"""

from __future__ import annotations

from typing import Any

Entry = tuple[Any, ...]

_FIGURES = '"at":%d,"out":%d,"waiting":%d'
# in, id, microseconds waited, the connection, who asked.
CHECKOUT = f'{{"event":"checkout",{_FIGURES},"in":%s,"id":%d,"wait_us":%s,%s,%s}}\n'
# event, id, microseconds held and of the reset, outcome. What is idle after a return,
# the pool knows later: readers add it up.
END = f'{{{_FIGURES},"event":"%s","id":%s,"held_us":%d,"reset_us":%s,"outcome":"%s"}}\n'
# event, in, anything more.
NOTE = f'{{{_FIGURES},"event":"%s","in":%s%s}}\n'
