"""Clusters without knowing their number, their errors, and what they are made of."""

from .groups import group_equal_environments, rare_environments
from .hdbscan import (
    NOT_LABELLED,
    agreement,
    by_size,
    cluster,
    cluster_error,
    describe,
    linear_error,
    lof_error,
    nearest_vote,
    vote_error,
)
from .mixture import two_populations

__all__ = [
    "NOT_LABELLED",
    "agreement",
    "by_size",
    "cluster",
    "cluster_error",
    "describe",
    "group_equal_environments",
    "linear_error",
    "lof_error",
    "nearest_vote",
    "rare_environments",
    "two_populations",
    "vote_error",
]
