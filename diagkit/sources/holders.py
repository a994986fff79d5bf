"""The application's own frame that asked for a connection.

Between the application and the pool stand SQLAlchemy, contextlib, a web framework.
Under asyncio they do not even stand on one stack: SQLAlchemy runs in a greenlet, and
the code that awaits is found through the greenlet's parents.
"""

from __future__ import annotations

import json
import os
import sys
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import CodeType, FrameType

OWN, LIBRARY, SKIPPED = 2, 1, 0
# Packages through which every checkout passes: never the one that asked.
_PASSED = frozenset({"sqlalchemy", "greenlet", "diagkit", "gevent", "eventlet"})
_INSTALLED = ("/site-packages/", "/dist-packages/")
_STANDARD = tuple(
    {
        os.path.realpath(folder).replace("\\", "/") + "/"
        for folder in (
            sysconfig.get_paths()["stdlib"],
            sysconfig.get_paths()["platstdlib"],
            str(Path(os.__file__).parent),
        )
    }
    | {str(Path(os.__file__).parent).replace("\\", "/") + "/"}
)
_PACKAGE = str(Path(__file__).parents[1]).replace("\\", "/") + "/"
_MOST_FRAMES = 400
_MOST_TEXTS = 4096

Place = tuple["CodeType", int]


class Holders:
    """Finds the places that asked, and writes them as ``file:line function``.

    Parameters
    ----------
    own
        Names of packages that belong to the application although they are installed
        among the libraries, as in an image that was built by ``pip install .``.
    """

    def __init__(self, own: tuple[str, ...] = ()) -> None:
        self._own = frozenset(own)
        self._kinds: dict[str, int] = {}
        self._asked: dict[tuple[int, int], tuple[str, CodeType]] = {}

    def find(self, frame: FrameType | None) -> Place | None:
        """Return the nearest place of the application above a frame.

        Parameters
        ----------
        frame
            Where to begin.

        Returns
        -------
        tuple of code and int, or None
            Its code and line; a library's where no frame is the application's own.
        """
        found = self._nearest(frame)
        return None if found is None else (found.f_code, found.f_lineno)

    def asked(self, frame: FrameType | None) -> str:
        """Return the place that `find` finds, as JSON.

        Parameters
        ----------
        frame
            Where to begin.

        Returns
        -------
        str
            `text`, quoted; ``null`` where there is none.
        """
        # This runs at every checkout: first the plain case, here and without a call.
        kinds = self._kinds
        found = frame
        while found is not None and kinds.get(found.f_code.co_filename) == SKIPPED:
            found = found.f_back
        if found is None or kinds.get(found.f_code.co_filename) != OWN:
            found = self._nearest(frame)
            if found is None:
                return "null"
        # The line of an instruction is looked up in a table: once is enough.
        code = found.f_code
        key = (id(code), found.f_lasti)
        known = self._asked.get(key)
        if known is None:
            if len(self._asked) >= _MOST_TEXTS:
                self._asked.clear()
            # The code is kept, so that its id means nothing else meanwhile.
            text = json.dumps(self.text((code, found.f_lineno)))
            known = self._asked[key] = (text, code)
        return known[0]

    def _nearest(self, frame: FrameType | None) -> FrameType | None:
        nearest = None
        kinds = self._kinds
        greenlet = None
        left = _MOST_FRAMES
        while True:
            while frame is not None and left:
                kind = kinds.get(frame.f_code.co_filename)
                if kind is None:
                    kind = self._kind(frame)
                if kind == OWN:
                    return frame
                if kind == LIBRARY and nearest is None:
                    nearest = frame
                left -= 1
                frame = frame.f_back
            # Up the stacks of the greenlets that this one hangs from.
            greenlet = _current_greenlet() if greenlet is None else greenlet
            greenlet = greenlet.parent if greenlet is not None else None
            if greenlet is None:
                return nearest
            frame = greenlet.gr_frame

    def stack(self, frame: FrameType | None, most: int = 20) -> list[Place]:
        """Return every place of the application above a frame, the nearest first.

        Parameters
        ----------
        frame
            Where to begin.
        most
            How many places are enough.

        Returns
        -------
        list of tuple of code and int
            Their code and line.
        """
        places: list[Place] = []
        greenlet = _current_greenlet()
        left = _MOST_FRAMES
        while len(places) < most:
            while frame is not None and left and len(places) < most:
                if self._kind(frame) == OWN:
                    places.append((frame.f_code, frame.f_lineno))
                left -= 1
                frame = frame.f_back
            greenlet = greenlet.parent if greenlet is not None else None
            if greenlet is None:
                break
            frame = greenlet.gr_frame
        return places

    def text(self, place: Place) -> str:
        """Write a place.

        Parameters
        ----------
        place
            Its code and line.

        Returns
        -------
        str
            As ``app/loaders.py:12 Loader.tiles``: the file below the folder that it
            was imported from, not where that folder lies on this machine.
        """
        code, line = place
        return f"{_short(code.co_filename)}:{line} {code.co_qualname}"

    def _kind(self, frame: FrameType) -> int:
        name = frame.f_code.co_filename
        if name.startswith("<"):
            # Compiled from a string: it belongs to the module that it runs in.
            name = f"<{frame.f_globals.get('__name__')}>"
        kind = self._kinds.get(name)
        if kind is None:
            kind = self._kinds[name] = self._judge(name, frame)
        return kind

    def _judge(self, name: str, frame: FrameType) -> int:
        module = str(frame.f_globals.get("__name__") or "")
        top = module.partition(".")[0]
        if top in self._own:
            return OWN
        if top in _PASSED:
            return SKIPPED
        if name.startswith("<"):
            file = getattr(sys.modules.get(module), "__file__", None)
            if file is None:
                return OWN if top == "__main__" else SKIPPED
            name = file
        return _kind_of_file(name)


def _kind_of_file(name: str) -> int:
    path = name.replace("\\", "/")
    if any(part in path for part in _INSTALLED):
        return LIBRARY
    if path.startswith("<frozen") or path.startswith(_STANDARD):
        return SKIPPED
    return SKIPPED if path.startswith(_PACKAGE) else OWN


def _current_greenlet() -> Any:
    # Not there, nothing runs in one.
    module = sys.modules.get("greenlet")
    return module.getcurrent() if module is not None else None


def _short(name: str) -> str:
    if name.startswith("<"):
        return name
    path = name.replace("\\", "/")
    roots = {
        folder.replace("\\", "/").rstrip("/") + "/"
        for folder in [os.getcwd(), *sys.path]  # noqa: PTH109 (as text, like sys.path)
        if folder
    }
    inside = [root for root in roots if path.startswith(root)]
    if inside:
        return path[len(max(inside, key=len)) :]
    return "/".join(path.split("/")[-2:])
