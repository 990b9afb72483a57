"""Observers of verdicts: logs, the audit file, velocity, telemetry."""
