"""Simulated tissue with planted truth."""

from squint.datasets._bulk import bulk
from squint.datasets._kidney import kidney, kidney_stack, write
from squint.datasets._section import (
    HYPOXIA,
    INDUCTION,
    REGION,
    RISK,
    STATE,
    TO_TUMOUR,
    TRUE_TYPE,
    TUMOUR_CORE,
)
from squint.datasets._toy import toy

__all__ = [
    "HYPOXIA",
    "INDUCTION",
    "REGION",
    "RISK",
    "STATE",
    "TO_TUMOUR",
    "TRUE_TYPE",
    "TUMOUR_CORE",
    "bulk",
    "kidney",
    "kidney_stack",
    "toy",
    "write",
]
