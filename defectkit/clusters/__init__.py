"""Clusters without knowing their number, their errors, and what they are made of."""

from .._deprecated import module_getattr
from .description import describe
from .groups import group_equal_environments, rare_environments
from .hdbscan import NOT_LABELLED, by_size, cluster, knn_labels
from .metrics import ErrorRate, agreement, cluster_error, knn_error, linear_error, lof_error
from .mixture import two_populations

__all__ = [
    "NOT_LABELLED",
    "ErrorRate",
    "agreement",
    "by_size",
    "cluster",
    "cluster_error",
    "describe",
    "group_equal_environments",
    "knn_error",
    "knn_labels",
    "linear_error",
    "lof_error",
    "rare_environments",
    "two_populations",
]

__getattr__ = module_getattr(__name__, {"vote_error": "knn_error", "nearest_vote": "knn_labels"})
