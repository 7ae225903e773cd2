"""The whole loop for anyone's file."""

from ..clusters import NOT_LABELLED
from ..result import Result, open_result
from .identify import identify

__all__ = ["NOT_LABELLED", "Result", "identify", "open_result"]
