"""diagkit: what an incident leaves behind, as DataFrames, charts and a postmortem.

Every public name is resolved when it is first used (PEP 562): importing diagkit loads
neither pandas nor matplotlib.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from diagkit.public import HOME

# What type checkers see; a test holds it against HOME.
if TYPE_CHECKING:
    from diagkit.analyses.backfill import (
        BackfillPlan as BackfillPlan,
        plan_backfill as plan_backfill,
    )
    from diagkit.analyses.cadence import (
        Cadence as Cadence,
        find_cadence as find_cadence,
    )
    from diagkit.analyses.check import check_incident as check_incident
    from diagkit.analyses.cohorts import (
        Cohorts as Cohorts,
        count_cohorts as count_cohorts,
    )
    from diagkit.analyses.comparison import compare_incidents as compare_incidents
    from diagkit.analyses.exhaustion import (
        Forecast as Forecast,
        forecast_exhaustion as forecast_exhaustion,
    )
    from diagkit.analyses.findings import (
        Diagnosis as Diagnosis,
        analyse_incident as analyse_incident,
        rank_findings as rank_findings,
    )
    from diagkit.analyses.hold_findings import check_holds as check_holds
    from diagkit.analyses.holds import (
        count_holds as count_holds,
        find_held as find_held,
    )
    from diagkit.analyses.http import (
        HttpReconciliation as HttpReconciliation,
        count_statuses as count_statuses,
        reconcile_http as reconcile_http,
    )
    from diagkit.analyses.http_findings import check_http as check_http
    from diagkit.analyses.leaks import (
        check_leaks as check_leaks,
        count_leaks as count_leaks,
        count_signatures as count_signatures,
        find_leaks as find_leaks,
    )
    from diagkit.analyses.migrations import (
        check_migration as check_migration,
        list_steps as list_steps,
    )
    from diagkit.analyses.occupancy import (
        PoolShape as PoolShape,
        find_shape as find_shape,
    )
    from diagkit.analyses.onset import Onset as Onset, find_onset as find_onset
    from diagkit.analyses.percentages import (
        check_percentages as check_percentages,
        count_policies as count_policies,
        find_percentages as find_percentages,
        match_percentages as match_percentages,
    )
    from diagkit.analyses.policies import (
        POLICIES as POLICIES,
        ProgressPolicy as ProgressPolicy,
    )
    from diagkit.analyses.pool import check_pool as check_pool
    from diagkit.analyses.ports import (
        audit_ports as audit_ports,
        document_ports as document_ports,
    )
    from diagkit.analyses.progress import (
        StartedAtAudit as StartedAtAudit,
        audit_started_at as audit_started_at,
    )
    from diagkit.analyses.reconciliation import reconcile as reconcile
    from diagkit.analyses.reviews import compare_findings as compare_findings
    from diagkit.analyses.sessions import (
        count_occupancy as count_occupancy,
        find_sessions as find_sessions,
    )
    from diagkit.analyses.stackframes import find_frames as find_frames
    from diagkit.analyses.templates import count_templates as count_templates
    from diagkit.analyses.timeline import list_moments as list_moments
    from diagkit.analyses.triage import triage as triage
    from diagkit.analyses.utilisation import count_utilisation as count_utilisation
    from diagkit.charts.backfill import plot_backfill as plot_backfill
    from diagkit.charts.checkouts import (
        plot_holders as plot_holders,
        plot_waits as plot_waits,
    )
    from diagkit.charts.cohorts import plot_cohorts as plot_cohorts
    from diagkit.charts.http import plot_statuses as plot_statuses
    from diagkit.charts.leaks import plot_leaks as plot_leaks
    from diagkit.charts.pool import plot_pool as plot_pool
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
    from diagkit.frames.backfill import BACKFILL as BACKFILL
    from diagkit.frames.checkouts import (
        CHECKOUTS as CHECKOUTS,
        POOL_EVENTS as POOL_EVENTS,
    )
    from diagkit.frames.claims import CLAIMS as CLAIMS
    from diagkit.frames.cohorts import COHORTS as COHORTS
    from diagkit.frames.comparison import COMPARISON as COMPARISON
    from diagkit.frames.findings import FINDINGS as FINDINGS
    from diagkit.frames.holds import HELD as HELD, HOLDS as HOLDS
    from diagkit.frames.http import HTTP as HTTP, STATUSES as STATUSES, UNSEEN as UNSEEN
    from diagkit.frames.incidents import (
        CONTENTS as CONTENTS,
        MARKS as MARKS,
        Incident as Incident,
    )
    from diagkit.frames.leaks import LEAKS as LEAKS
    from diagkit.frames.lints import LINT as LINT
    from diagkit.frames.logs import LOGS as LOGS
    from diagkit.frames.migrations import (
        MIGRATION_008 as MIGRATION_008,
        AddCheck as AddCheck,
        AddColumn as AddColumn,
        AddIndex as AddIndex,
        FillNulls as FillNulls,
        Migration as Migration,
        NullRule as NullRule,
    )
    from diagkit.frames.moments import MOMENTS as MOMENTS
    from diagkit.frames.percentages import (
        MATCHES as MATCHES,
        PERCENTAGES as PERCENTAGES,
    )
    from diagkit.frames.pool import ACTIVITY as ACTIVITY, POOL as POOL
    from diagkit.frames.ports import (
        PORTS as PORTS,
        REFERENCES as REFERENCES,
        SERVICES as SERVICES,
        Ports as Ports,
    )
    from diagkit.frames.probes import PROBES as PROBES, Target as Target
    from diagkit.frames.progress import (
        AUDIT as AUDIT,
        PROJECTS as PROJECTS,
        TASKS as TASKS,
        Progress as Progress,
        ProgressSchema as ProgressSchema,
    )
    from diagkit.frames.readonly import PROOF as PROOF
    from diagkit.frames.reconciliation import (
        DISCREPANCIES as DISCREPANCIES,
        LEDGERS as LEDGERS,
        Reconciliation as Reconciliation,
    )
    from diagkit.frames.schemas import DatabaseSchema as DatabaseSchema
    from diagkit.frames.sessions import OCCUPANCY as OCCUPANCY, SESSIONS as SESSIONS
    from diagkit.frames.stackframes import STACKFRAMES as STACKFRAMES
    from diagkit.frames.starts import CANDIDATES as CANDIDATES
    from diagkit.frames.templates import TEMPLATES as TEMPLATES
    from diagkit.frames.triage import (
        CHECKLIST as CHECKLIST,
        HYPOTHESES as HYPOTHESES,
        Triage as Triage,
    )
    from diagkit.frames.utilisation import UTILISATION as UTILISATION
    from diagkit.redaction.frames import (
        redact_frame as redact_frame,
    )
    from diagkit.redaction.text import (
        redact_text as redact_text,
    )
    from diagkit.report.postmortem import (
        check_report as check_report,
        render_report as render_report,
    )
    from diagkit.report.reviewing import render_review as render_review
    from diagkit.report.runs import read_findings as read_findings
    from diagkit.report.sidecar import (
        add_review as add_review,
        read_reviews as read_reviews,
    )
    from diagkit.signatures.catalogue import (
        Signature as Signature,
        load_signatures as load_signatures,
    )
    from diagkit.sources.activity import (
        read_activity as read_activity,
        sample_activity as sample_activity,
    )
    from diagkit.sources.bundled import open_sample as open_sample
    from diagkit.sources.checkouts import (
        read_checkouts as read_checkouts,
        read_pool_events as read_pool_events,
    )
    from diagkit.sources.compose import read_compose as read_compose
    from diagkit.sources.http import read_http as read_http
    from diagkit.sources.incidents import open_incident as open_incident
    from diagkit.sources.lints import read_lint as read_lint
    from diagkit.sources.listeners import read_listeners as read_listeners
    from diagkit.sources.logs import read_logs as read_logs
    from diagkit.sources.migrations import read_migration as read_migration
    from diagkit.sources.operations import (
        OperationMiddleware as OperationMiddleware,
        current_operation as current_operation,
        recorded_operation as recorded_operation,
        strawberry_operations as strawberry_operations,
    )
    from diagkit.sources.packers import Limits as Limits
    from diagkit.sources.pool import read_pool as read_pool
    from diagkit.sources.probes import probe as probe
    from diagkit.sources.progress import read_progress as read_progress
    from diagkit.sources.readonly import prove_readonly as prove_readonly
    from diagkit.sources.recorder import PoolRecorder as PoolRecorder
    from diagkit.sources.schemas import read_schema as read_schema
    from diagkit.sources.watches import watch_server as watch_server
    from diagkit.widgets.board import IncidentBoard as IncidentBoard
    from diagkit.widgets.leaks import LeakExplorer as LeakExplorer
    from diagkit.widgets.pool import PoolExplorer as PoolExplorer
    from diagkit.widgets.progress import ProgressExplorer as ProgressExplorer

_MODULES = {name: module for module, names in HOME.items() for name in names}

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


def load_ipython_extension(shell: object) -> None:
    """Load ``%diagkit``; redact what is shown, warn of connections left."""
    import_module("diagkit.sources.notebookcells").load(shell)
    import_module("diagkit.cli.magic").load(shell)
    import_module("diagkit.cli.formatter").load(shell)


def unload_ipython_extension(shell: object) -> None:
    """Redact, warn and keep no more: ``%unload_ext diagkit``."""
    import_module("diagkit.sources.notebookcells").unload(shell)
    import_module("diagkit.cli.formatter").unload(shell)
