"""What of a notebook its widgets need, so that a browser need not run the rest."""

import ast
import re

MAGIC = re.compile(r"(?m)^[%!].*$")  # lines for IPython


def needed(sources, wanted):
    """{index: source} of the cells `wanted`, and of other cells the statements that these need.

    Needed is what sets or changes a name that is used later, and whatever stands by itself before
    it in its cell, such as the writing of a file; not the last line of a cell, which is shown.

    Parameters
    ----------
    sources : list of str
        Code cells in their order.
    wanted : collection of int

    Examples
    --------
    >>> cells = ["import numpy as np", "a = np.ones(3)\\nb = 2 * a\\nb", "a[0] = 2", "show(a)"]
    >>> needed(cells, {3})
    {0: 'import numpy as np', 1: 'a = np.ones(3)', 2: 'a[0] = 2', 3: 'show(a)'}
    >>> needed(["%config InlineBackend.figure_format = 'retina'\\na = 1", "show(a)"], {1})
    {0: 'a = 1', 1: 'show(a)'}
    >>> needed(["for n in 1, 2:\\n    print(n)", "for n in 3, 4:\\n    a = n", "show(a)"], {2})
    {1: 'for n in 3, 4:\\n    a = n', 2: 'show(a)'}
    >>> needed(["name = 'a.txt'\\nos.mkdir(name)\\nb = read(name)\\nb.check()", "show(b)"], {1})
    {0: "name = 'a.txt'\\nos.mkdir(name)\\nb = read(name)", 1: 'show(b)'}
    """
    sources = [MAGIC.sub("", source) for source in sources]
    trees = [ast.parse(source) for source in sources]
    modules = {
        alias.asname or alias.name.split(".")[0]
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    kept, names = {}, set()
    for cell in reversed(range(len(trees))):
        for statement in reversed(trees[cell].body):
            fresh, changed, used = _names([statement], modules)
            alone = isinstance(statement, ast.Expr)
            if cell in wanted:
                take = True
            elif alone and statement is trees[cell].body[-1]:
                take = False
            else:
                take = (fresh | changed) & names or (alone and cell in kept)
            if take:
                kept.setdefault(cell, []).append(ast.get_source_segment(sources[cell], statement))
                names = names - fresh | used
    return {cell: "\n".join(parts[::-1]) for cell, parts in sorted(kept.items())}


def _names(statements, modules):
    """Names that are set, those that are only changed, and those that are taken from before."""
    fresh, changed, used = set(), set(), set()
    for statement in statements:
        stored, loaded, inside, looped = set(), set(), set(), set()
        for node in ast.walk(statement):
            if isinstance(node, ast.Name):
                (stored if isinstance(node.ctx, ast.Store) else loaded).add(node.id)
            elif isinstance(node, ast.Import | ast.ImportFrom):
                stored |= {alias.asname or alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.FunctionDef | ast.ClassDef):
                fresh.add(node.name)
                inside |= {
                    name.id
                    for name in ast.walk(node)
                    if isinstance(name, ast.Name) and isinstance(name.ctx, ast.Store)
                }
                inside |= {arg.arg for arg in ast.walk(node) if isinstance(arg, ast.arg)}
            elif isinstance(node, ast.comprehension | ast.Lambda | ast.For):
                target = node.args if isinstance(node, ast.Lambda) else node.target
                own = {
                    part.id if isinstance(part, ast.Name) else part.arg
                    for part in ast.walk(target)
                    if isinstance(part, ast.Name | ast.arg)
                }
                (looped if isinstance(node, ast.For) else inside).update(own)
            elif isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
                loaded.add(node.target.id)
            elif isinstance(node, ast.Subscript | ast.Attribute):
                root = _root(node)
                if isinstance(node.ctx, ast.Store) and root:
                    changed.add(root)
            elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
                root = _root(node.value.func)
                if root and root not in modules:
                    changed.add(root)
        used |= loaded - inside - looped - fresh
        fresh |= stored - inside
    return fresh, changed, used | changed


def _root(node):
    """Name at the root of ``a.b[c].d``, or None; a plain name has none."""
    below = None
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Call):
        node = below = node.func if isinstance(node, ast.Call) else node.value
    return below.id if isinstance(below, ast.Name) else None
