"""Feed-forward nets of one atom, compiled: value and slopes within the loop over centres."""

import numpy as np

from ..._compiled import part
from .angular import dot


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


@part
def propagate(net, G, node, slope, back):
    """Output for one atom's raw features G; `back` gets its slopes in each of them.

    node, slope  work arrays (n_layers + 1, width)
    """
    n_layers = net.kinds.shape[0]
    for i in range(net.sizes[0]):
        node[0, i] = net.low[0] + (G[i] - net.offset[i]) * net.factor[i]
    for n in range(n_layers):
        n_in, n_out, x = net.sizes[n], net.sizes[n + 1], node[n + 1]
        for o in range(n_out):
            x[o] = net.biases[n, o]
        for i in range(n_in):
            for o in range(n_out):
                x[o] += node[n, i] * net.weights[n, i, o]
        for o in range(n_out):
            x[o], slope[n + 1, o] = activation(net.kinds[n], x[o])
    for n in range(n_layers - 1, -1, -1):
        for i in range(net.sizes[n]):
            by_node = dot(net.sizes[n + 1], net.weights[n, i].ctypes, slope[n + 1].ctypes)
            if n > 0:
                slope[n, i] *= by_node
            else:
                back[i] = net.unit[0] * net.factor[i] * by_node
    return net.unit[0] * node[n_layers, 0]
