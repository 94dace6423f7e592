"""Row checks: raw values in, typed good rows and refused rows with their reasons out. No connection is opened here."""

from __future__ import annotations

from connectors.checks.batch import Checked, check_batch, empty_good, repeated_keys

__all__ = ["Checked", "check_batch", "empty_good", "repeated_keys"]
