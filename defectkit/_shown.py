"""How objects show themselves: some lines in a terminal, a table in a notebook."""

from html import escape

__all__ = ["Shown", "counted"]


def counted(n: int, what: str) -> str:
    """How many of what, in text.

    >>> counted(1, "atom"), counted(2, "atom")
    ('1 atom', '2 atoms')
    """
    return f"{n} {what}" if n == 1 else f"{n} {what}s"


class Shown:
    """A class that says what it holds: ``_summary()`` gives a title and rows (what, text)."""

    __slots__ = ()

    def _summary(self) -> tuple[str, list[tuple[str, str]]]:
        raise NotImplementedError

    def __repr__(self):
        title, rows = self._summary()
        return "\n".join([title, *(f"  {what}: {text}" for what, text in rows)])

    def _repr_html_(self):
        title, rows = self._summary()
        body = "".join(
            f"<tr><th style='text-align:left'>{escape(what)}</th>"
            f"<td style='text-align:left'>{escape(text)}</td></tr>"
            for what, text in rows
        )
        return f"<b>{escape(title)}</b><table>{body}</table>"
