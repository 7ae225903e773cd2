"""Feed-forward nets of one atom, compiled: value and slopes within the loop over centres."""

from collections import namedtuple

import numpy as np
from numba import njit

from .cutoffs import FAST

Net = namedtuple("Net", [
    "sizes",      # (n_layers + 1,) nodes from input to output
    "kinds",      # (n_layers,) activation: position in ACTIVATIONS
    "weights",    # (n_layers, width, width) from row to column
    "biases",     # (n_layers, width)
    "offset",     # (n_inputs,) inputs are low + (G - offset) * factor
    "factor",     # (n_inputs,)
    "low",        # (1,)
    "unit",       # (1,) of the output
])

# n2p2's letters: linear, tanh, logistic, softplus, ReLU, Gaussian, cosine, reverse logistic,
# exponential, harmonic.
ACTIVATIONS = "ltsprgcSeh"
_jit = njit(cache=True, fastmath=FAST, error_model="numpy")


def make_net(layers, offset=None, factor=None, low=0.0, unit=1.0):
    """The `Net` of layers (weights (n_in, n_out), biases (n_out,), letter), input to output."""
    sizes = [layers[0][0].shape[0], *(w.shape[1] for w, _, _ in layers)]
    width = max(sizes)
    weights, biases = np.zeros((len(layers), width, width)), np.zeros((len(layers), width))
    for n, (w, b, _) in enumerate(layers):
        weights[n, :w.shape[0], :w.shape[1]] = w
        biases[n, :len(b)] = b
    offset = np.zeros(sizes[0]) if offset is None else np.asarray(offset, float)
    factor = np.ones(sizes[0]) if factor is None else np.asarray(factor, float)
    return Net(np.array(sizes), np.array([ACTIVATIONS.index(letter) for _, _, letter in layers]),
               weights, biases, offset, factor, np.array([low], float), np.array([unit], float))


NO_NET = make_net([(np.zeros((0, 1)), np.zeros(1), "l")])


@_jit
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


@_jit
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
            total = 0.0
            for o in range(net.sizes[n + 1]):
                total += net.weights[n, i, o] * slope[n + 1, o]
            if n > 0:
                slope[n, i] *= total
            else:
                back[i] = net.unit[0] * net.factor[i] * total
    return net.unit[0] * node[n_layers, 0]
