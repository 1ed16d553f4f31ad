"""
Re-checks a finished run in a fresh process, from exported blocks and genesis alone: no hub, no
utility cell, no ledger adapter, no journal, and no pandapower.
"""

from __future__ import annotations

from tieline.audit.auditing import audit, verify_ledger
from tieline.audit.findings import Finding, Place
from tieline.audit.report import AuditReport
from tieline.audit.tampering import TamperReport, Trial, tamper

__all__ = [
    "AuditReport",
    "Finding",
    "Place",
    "TamperReport",
    "Trial",
    "audit",
    "tamper",
    "verify_ledger",
]
