"""A page as a PDF, printed by a browser of the machine."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from diagkit.errors import SourceAccessError, SourceNotFoundError

# Names under which browsers that print without a window are installed.
BROWSERS = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
    "msedge",
)
BROWSER = "DIAGKIT_BROWSER"
DEADLINE_S = 120
# A page is local, needs nothing, and is to leave no trace.
OPTIONS = (
    "--headless",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--no-pdf-header-footer",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND",
)
# When it was printed, and ids made from that: the same page is to be the same bytes.
DATED = re.compile(rb"\(D:\d{14}([^)]*)\)")


def find_browser() -> str:
    """Find a browser that can print.

    Returns
    -------
    str
        Its path: what the environment variable ``DIAGKIT_BROWSER`` names, else the
        first of `BROWSERS` that is installed.

    Raises
    ------
    SourceNotFoundError
        If there is none.
    """
    named = os.environ.get(BROWSER)
    for name in (named,) if named else BROWSERS:
        found = shutil.which(name)
        if found:
            return found
    said = f"{BROWSER}={named} is not" if named else f"none of {', '.join(BROWSERS)} is"
    msg = f"a PDF needs a browser: {said} installed; write .html and print it"
    raise SourceNotFoundError(msg)


def to_pdf(page: str) -> bytes:
    """Print a page.

    Parameters
    ----------
    page
        HTML that needs nothing else.

    Returns
    -------
    bytes
        The PDF, without the time at which it was made.

    Raises
    ------
    SourceNotFoundError
        If no browser is installed.
    SourceAccessError
        If the browser does not print.
    """
    browser = find_browser()
    with tempfile.TemporaryDirectory(prefix="diagkit-") as folder:
        source, printed = Path(folder) / "page.html", Path(folder) / "page.pdf"
        source.write_text(page, encoding="utf-8")
        command = [browser, *OPTIONS, f"--user-data-dir={folder}/profile"]
        if os.name == "posix" and os.geteuid() == 0:
            # A browser of root's does not start in its own sandbox.
            command.append("--no-sandbox")
        command += [f"--print-to-pdf={printed}", source.as_uri()]
        try:
            done = subprocess.run(
                command, capture_output=True, timeout=DEADLINE_S, check=False
            )
            body = printed.read_bytes()
        except (OSError, subprocess.TimeoutExpired) as error:
            name = Path(browser).name
            msg = f"{name} did not print the report ({type(error).__name__})"
            raise SourceAccessError(msg) from None
        if done.returncode and not body:
            msg = f"{Path(browser).name} ended with {done.returncode} and printed none"
            raise SourceAccessError(msg)
    return DATED.sub(_date, body)


def _date(match: re.Match[bytes]) -> bytes:
    """Return one and the same date, as long as the one that it stands for."""
    return b"(D:20000101000000%s)" % b"+00'00'"[: len(match[1])].ljust(len(match[1]))
