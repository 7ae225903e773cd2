"""What `identify` gives back: clusters, names, defects, and what can be done with them."""

from .reopen import open_result
from .result import Result

__all__ = ["Result", "open_result"]
