"""Old public names: they stay for one release and say what they are called now."""

import functools
import warnings
from collections.abc import Callable
from importlib import import_module
from typing import Any, TypeVar, cast

__all__ = ["module_getattr", "renamed_arguments", "warn"]

F = TypeVar("F", bound=Callable)


def warn(old: str, new: str, stacklevel: int = 3) -> None:
    """Says that `old` is now called `new`, at the line of the caller's caller."""
    warnings.warn(f"{old} is now called {new}.", DeprecationWarning, stacklevel=stacklevel)


def module_getattr(
    module: str, names: dict[str, str], stacklevel: int = 3
) -> Callable[[str], Any]:
    """A module's ``__getattr__``.

    names
        {old name: new name in the same module, or "module.name" relative to it}
    stacklevel
        4 where the module calls it from a ``__getattr__`` of its own

    Raises AttributeError for any other name.

    Examples
    --------
    >>> module_getattr("math", {"sinus": "sin"})("cosinus")
    Traceback (most recent call last):
    AttributeError: module 'math' has no attribute 'cosinus'
    """

    def get(name):
        if name not in names:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        inner, _, new = names[name].rpartition(".")
        warn(f"{module}.{name}", new, stacklevel)
        return getattr(import_module(f"{module}.{inner}" if inner else module), new)

    return get


def renamed_arguments(**names: str) -> Callable[[F], F]:
    """A decorator: arguments of these old names are passed under the new ones, with a warning.

    Raises TypeError where both are given.
    """

    def decorate(function: F) -> F:
        @functools.wraps(function)
        def call(*args, **kwargs):
            for old, new in names.items():
                if old in kwargs:
                    if new in kwargs:
                        raise TypeError(
                            f"{function.__name__}() got both {new} and {old}, its "
                            f"old name; give {new}."
                        )
                    warn(f"the argument {old} of {function.__name__}", new)
                    kwargs[new] = kwargs.pop(old)
            return function(*args, **kwargs)

        return cast(F, call)

    return decorate
