"""What `identify` gives back: clusters, names, defects, and what can be done with them."""

from .result import Result
from .saved import open_result

__all__ = ["Result", "open_result"]
