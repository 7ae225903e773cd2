"""Means over time and over neighbours, and the shortest window that separates."""

from .means import (
    average_frames,
    average_positions,
    frame_index,
    moving_average,
    neighbour_average,
    stream_average,
    window_from_ps,
)
from .persistence import persistence
from .window_search import shortest_window

__all__ = [
    "average_frames",
    "average_positions",
    "frame_index",
    "moving_average",
    "neighbour_average",
    "persistence",
    "shortest_window",
    "stream_average",
    "window_from_ps",
]
