"""Frames of files one at a time; the code is in `defectkit.io.trajectory`."""

from .io.trajectory import iter_frames, parse, raw_frames, read_frames

__all__ = ["iter_frames", "parse", "raw_frames", "read_frames"]
