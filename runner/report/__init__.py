"""The report: one page a person likes to read, made from nothing but a run directory."""

from runner.report.html import write_report

__all__ = ["write_report"]
