"""Files in and out: one reader for everything, order of frames, whole files or none."""

from importlib import import_module

_HOME = {
    "iter_frames": "trajectory",
    "read_frames": "trajectory",
    "raw_frames": "trajectory",
    "parse": "trajectory",
    "check_order": "continuity",
    "first_break": "continuity",
    "in_order": "continuity",
    "is_trajectory": "continuity",
    "OrderCheck": "continuity",
    "Break": "continuity",
    "fetch": "download",
}

__all__ = sorted(_HOME)


def __getattr__(name):
    if name in _HOME:
        return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted({*globals(), *_HOME} - {"import_module"})
