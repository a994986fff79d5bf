"""diagkit: what an incident leaves behind, as DataFrames, charts and a postmortem.

Every public name is resolved when it is first used (PEP 562): importing diagkit loads
neither pandas nor matplotlib.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

# What type checkers see; a test holds it against the table below.
if TYPE_CHECKING:
    from diagkit.analyses.findings import (
        Diagnosis as Diagnosis,
        analyse_incident as analyse_incident,
        rank_findings as rank_findings,
    )
    from diagkit.analyses.leaks import (
        check_leaks as check_leaks,
        count_leaks as count_leaks,
        count_signatures as count_signatures,
        find_leaks as find_leaks,
    )
    from diagkit.analyses.policies import (
        POLICIES as POLICIES,
        ProgressPolicy as ProgressPolicy,
    )
    from diagkit.analyses.pool import check_pool as check_pool
    from diagkit.analyses.progress import (
        StartedAtAudit as StartedAtAudit,
        audit_started_at as audit_started_at,
    )
    from diagkit.analyses.stackframes import find_frames as find_frames
    from diagkit.analyses.templates import count_templates as count_templates
    from diagkit.charts.leaks import plot_leaks as plot_leaks
    from diagkit.charts.progress import plot_started_at as plot_started_at
    from diagkit.errors import (
        ContractError as ContractError,
        DiagkitError as DiagkitError,
        DiagkitWarning as DiagkitWarning,
        MissingExtraError as MissingExtraError,
        SettingError as SettingError,
        SourceAccessError as SourceAccessError,
        SourceError as SourceError,
        SourceFormatError as SourceFormatError,
        SourceNotFoundError as SourceNotFoundError,
    )
    from diagkit.frames.findings import FINDINGS as FINDINGS
    from diagkit.frames.incidents import (
        CONTENTS as CONTENTS,
        MARKS as MARKS,
        Incident as Incident,
    )
    from diagkit.frames.leaks import LEAKS as LEAKS
    from diagkit.frames.logs import LOGS as LOGS
    from diagkit.frames.pool import ACTIVITY as ACTIVITY, POOL as POOL
    from diagkit.frames.progress import (
        AUDIT as AUDIT,
        PROJECTS as PROJECTS,
        TASKS as TASKS,
        Progress as Progress,
        ProgressSchema as ProgressSchema,
    )
    from diagkit.frames.stackframes import STACKFRAMES as STACKFRAMES
    from diagkit.frames.templates import TEMPLATES as TEMPLATES
    from diagkit.redaction.text import (
        redact_frame as redact_frame,
        redact_text as redact_text,
    )
    from diagkit.report.postmortem import render_report as render_report
    from diagkit.signatures.catalogue import (
        Signature as Signature,
        load_signatures as load_signatures,
    )
    from diagkit.sources.bundled import open_sample as open_sample
    from diagkit.sources.incidents import open_incident as open_incident
    from diagkit.sources.logs import read_logs as read_logs
    from diagkit.sources.packers import Limits as Limits
    from diagkit.sources.pool import (
        read_activity as read_activity,
        read_pool as read_pool,
    )
    from diagkit.sources.progress import read_progress as read_progress

# Where each public name lives. Modules are listed by room; __all__ is sorted below.
_HOME = {
    "diagkit.errors": (
        "ContractError",
        "DiagkitError",
        "DiagkitWarning",
        "MissingExtraError",
        "SettingError",
        "SourceAccessError",
        "SourceError",
        "SourceFormatError",
        "SourceNotFoundError",
    ),
    "diagkit.frames.findings": ("FINDINGS",),
    "diagkit.frames.incidents": ("CONTENTS", "MARKS", "Incident"),
    "diagkit.frames.leaks": ("LEAKS",),
    "diagkit.frames.logs": ("LOGS",),
    "diagkit.frames.stackframes": ("STACKFRAMES",),
    "diagkit.frames.templates": ("TEMPLATES",),
    "diagkit.frames.pool": ("ACTIVITY", "POOL"),
    "diagkit.frames.progress": (
        "AUDIT",
        "PROJECTS",
        "TASKS",
        "Progress",
        "ProgressSchema",
    ),
    "diagkit.signatures.catalogue": ("Signature", "load_signatures"),
    "diagkit.sources.bundled": ("open_sample",),
    "diagkit.sources.incidents": ("open_incident",),
    "diagkit.sources.logs": ("read_logs",),
    "diagkit.sources.packers": ("Limits",),
    "diagkit.sources.pool": ("read_activity", "read_pool"),
    "diagkit.sources.progress": ("read_progress",),
    "diagkit.analyses.leaks": (
        "check_leaks",
        "count_leaks",
        "count_signatures",
        "find_leaks",
    ),
    "diagkit.analyses.pool": ("check_pool",),
    "diagkit.analyses.stackframes": ("find_frames",),
    "diagkit.analyses.templates": ("count_templates",),
    "diagkit.analyses.policies": ("POLICIES", "ProgressPolicy"),
    "diagkit.analyses.progress": ("StartedAtAudit", "audit_started_at"),
    "diagkit.analyses.findings": ("Diagnosis", "analyse_incident", "rank_findings"),
    "diagkit.charts.leaks": ("plot_leaks",),
    "diagkit.charts.progress": ("plot_started_at",),
    "diagkit.redaction.text": ("redact_frame", "redact_text"),
    "diagkit.report.postmortem": ("render_report",),
}
_MODULES = {name: module for module, names in _HOME.items() for name in names}

__version__ = "0.1.0"
__all__ = sorted(_MODULES)


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        msg = f"module 'diagkit' has no attribute {name!r}"
        raise AttributeError(msg)
    value = getattr(import_module(_MODULES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
