"""Filtering rows by clauses on their columns."""

from dedup_widgets.filters.clauses import absent, present
from dedup_widgets.filters.filters import (
    RESERVED,
    Context,
    Expressions,
    Filters,
    facet,
    mask,
    parse,
    read,
)

__all__ = [
    "RESERVED",
    "Context",
    "Expressions",
    "Filters",
    "absent",
    "facet",
    "mask",
    "parse",
    "present",
    "read",
]
