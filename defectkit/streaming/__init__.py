"""Labels of atoms while their trajectory is read, or still running, or spread over machines."""

from .classify import classify_trajectory, label_observer
from .local import local_client
from .table import read_table

__all__ = ["classify_trajectory", "label_observer", "local_client", "read_table"]
