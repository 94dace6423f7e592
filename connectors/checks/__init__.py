"""Row checks: raw values in, typed good rows and refused rows with their reasons out. No connection is opened here."""

from __future__ import annotations

from connectors.checks.batch import Checked, RowChecks, check_batch, repeated_keys

__all__ = ["Checked", "RowChecks", "check_batch", "repeated_keys"]
