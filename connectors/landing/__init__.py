"""From a source's rows to raw: validated, staged, quarantined, merged and recorded in one transaction.

`land_table` lands one table; `ensure_raw` keeps the raw tables as the contracts say. What the hub makes of raw does
not belong here, nor how rows are fetched (`connectors.transports`) or judged (`connectors.checks`).
"""

from __future__ import annotations

from connectors.contract import AdmissionGate, GateRequest, GateResult
from connectors.landing.ensure import ensure_raw
from connectors.landing.land import land_table
from connectors.landing.model import Allowance, LandingResult

__all__ = ["AdmissionGate", "Allowance", "GateRequest", "GateResult", "LandingResult", "ensure_raw", "land_table"]
