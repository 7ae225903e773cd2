"""Feed-forward nets of one atom, compiled: value and slopes within the loop over centres."""

import numpy as np
from numba import carray

from ..._compiled import FLOAT, FLOATS, INT, floats, ints, leaf, part, unsigned
from .angular import dot
from .records import NET_AT, net_of


@part
def activation(kind, x):
    """Value and slope of an activation function."""
    if kind == 0:
        return x, 1.0
    if kind == 1:
        y = np.tanh(x)
        return y, 1.0 - y * y
    if kind == 2 or kind == 7:
        sign = 1.0 if kind == 2 else -1.0
        e = np.exp(-abs(x))
        y = 1.0 / (1.0 + e) if sign * x >= 0.0 else e / (1.0 + e)
        return y, sign * y * (1.0 - y)
    if kind == 3:
        e = np.exp(-abs(x))
        return np.log1p(e) + max(x, 0.0), (1.0 if x >= 0.0 else e) / (1.0 + e)
    if kind == 4:
        return max(x, 0.0), 1.0 if x > 0.0 else 0.0
    if kind == 5:
        y = np.exp(-0.5 * x * x)
        return y, -x * y
    if kind == 6:
        return np.cos(x), -np.sin(x)
    if kind == 8:
        y = np.exp(-x)
        return y, -y
    return x * x, 2.0 * x


@leaf(NET_AT, FLOATS, INT, INT, INT, returns=FLOAT)
def propagate(net, features, node, slope, back):
    """Output for one atom's raw features; `back` gets its slopes in each of them.

    node, slope  addresses of work arrays (n_layers + 1, width)
    back         address of (n_inputs,)
    """
    p = net_of(net, 0)
    n_layers, width = p.n_layers, p.width
    sizes, kinds = carray(ints(p.sizes, 0), 1), carray(ints(p.kinds, 0), 1)
    G, low, scale = (
        carray(features, 1),
        carray(floats(p.offset, 0), 1),
        carray(floats(p.factor, 0), 1),
    )
    x, dx = carray(floats(node, 0), (1, width)), carray(floats(slope, 0), (1, width))
    b = carray(floats(back, 0), 1)
    weights, biases = (
        carray(floats(p.weights, 0), (1, width, width)),
        carray(floats(p.biases, 0), (1, width)),
    )
    for i in range(sizes[0]):
        x[0, unsigned(i)] = p.low + (G[unsigned(i)] - low[unsigned(i)]) * scale[unsigned(i)]
    for layer in range(n_layers):
        n, up = unsigned(layer), unsigned(layer + 1)
        n_in, n_out = sizes[n], sizes[up]
        for o in range(n_out):
            x[up, unsigned(o)] = biases[n, unsigned(o)]
        for i in range(n_in):
            for o in range(n_out):
                x[up, unsigned(o)] += x[n, unsigned(i)] * weights[n, unsigned(i), unsigned(o)]
        for o in range(n_out):
            q = unsigned(o)
            x[up, q], dx[up, q] = activation(kinds[n], x[up, q])
    for layer in range(n_layers - 1, -1, -1):
        above = floats(slope, (layer + 1) * width)
        for i in range(sizes[unsigned(layer)]):
            row = floats(p.weights, (layer * width + i) * width)
            by_node = dot(sizes[unsigned(layer + 1)], row, above)
            if layer > 0:
                dx[unsigned(layer), unsigned(i)] *= by_node
            else:
                b[unsigned(i)] = p.unit * scale[unsigned(i)] * by_node
    return p.unit * x[unsigned(n_layers), 0]
