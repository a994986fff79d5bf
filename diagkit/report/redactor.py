"""What takes secrets out of a report before anything of it is drawn or written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from diagkit.redaction.frames import redact_frame, tell_apart
from diagkit.redaction.text import redact_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

# How every replacement begins.
REDACTED = "[redacted:"


@dataclass(frozen=True)
class Redactor:
    """Redacts, or does not."""

    active: bool
    key: str | None = None

    def text(self, text: str) -> str:
        """Redact one text.

        Parameters
        ----------
        text
            Anything.

        Returns
        -------
        str
            The text that may leave.
        """
        return redact_text(text, self.key).text if self.active else text

    def frame(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Redact a frame that is drawn or listed.

        Parameters
        ----------
        frame
            Any frame.

        Returns
        -------
        pandas.DataFrame
            The frame that may leave.
        """
        return redact_frame(frame, self.key).frame if self.active else frame

    def keys(self, known: Mapping[str, str]) -> dict[str, str]:
        """Redact the names by which something is known.

        Parameters
        ----------
        known
            Values by their names.

        Returns
        -------
        dict
            As many, in the same order.
        """
        names = tell_apart(map(self.text, known))
        return dict(zip(names, known.values(), strict=True))
