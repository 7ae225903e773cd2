"""Clusters without knowing their number, their errors, and what they are made of."""

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

__all__ = [
    "NOT_LABELLED",
    "agreement",
    "by_size",
    "cluster",
    "cluster_error",
    "describe",
    "linear_error",
    "lof_error",
    "nearest_vote",
    "vote_error",
]
