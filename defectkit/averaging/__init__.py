"""Means over time and over neighbours, and the shortest window that separates."""

from .means import (
    average_positions,
    frame_index,
    moving_average,
    neighbour_average,
    shortest_window,
    stream_average,
    window_from_ps,
)

__all__ = [
    "average_positions",
    "frame_index",
    "moving_average",
    "neighbour_average",
    "shortest_window",
    "stream_average",
    "window_from_ps",
]
