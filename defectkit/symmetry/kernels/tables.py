"""The tables that the kernels read, by name: symmetry functions and nets of one element."""

from collections import namedtuple
from typing import NamedTuple

import numpy as np

CUTOFF = np.dtype([("kind", "i8"), ("inner", "f8"), ("rc", "f8")])  # n2p2's type; inner / rc
RADIAL = np.dtype(
    [
        ("kind", "i8"),  # 0 Gaussian; 1-5 compact poly1-4, exp; +10 asymmetric
        ("a", "f8"),  # eta, or left end
        ("b", "f8"),  # r_s, or right end
        ("weighted", "i8"),  # by the neighbour's element
        ("cutoff", "i8"),  # row of `cutoffs` that a Gaussian is multiplied by, else -1
        ("wanted", "i8"),
    ]
)  # of the neighbours
PAIR = np.dtype([("radial", "i8"), ("species", "i8"), ("column", "i8")])  # species -1: all
CHANNEL = np.dtype(
    [
        ("first", "i8"),
        ("second", "i8"),  # species of j and k, -1: all
        ("narrow", "i8"),  # whether r_jk is cut off too
        ("rc", "f8"),  # largest cutoff
        ("factors", "i8", (2,)),  # begin and end in `factors`
        ("angles", "i8", (2,)),  # in `angles`
        ("members", "i8", (2,)),  # in `members`
        ("envelope", "i8"),
    ]
)  # row of `radials`: the bare cutoff that all Gaussians share, else -1
ANGLE = np.dtype([("kind", "i8"), ("a", "f8"), ("b", "f8")])  # 0 (1 + a cos)^b, else compact
MEMBER = np.dtype([("factor", "i8"), ("angle", "i8"), ("column", "i8"), ("norm", "f8")])

Plan = namedtuple(
    "Plan",
    [
        "cutoffs",  # (n,) CUTOFF
        "radials",  # (n,) RADIAL
        "pairs",  # (n,) PAIR, the radial functions
        "channels",  # (n,) CHANNEL
        "factors",  # (n,) rows of `radials` used by the channels
        "powers",  # (n,) which power of its channel's first Gaussian each is, 0 where none
        "angles",  # (n,) ANGLE
        "members",  # (n,) MEMBER, the angular functions by their rows of `factors` and `angles`
        "rc",  # (1,) largest cutoff of the element
    ],
)


class Frame(NamedTuple):
    """Atoms, their neighbours (see `neighbour_list`) and which of them are centres."""

    centres: np.ndarray  # (n_centres,) atoms
    first: np.ndarray  # (n_atoms + 1,)
    neigh: np.ndarray  # (n_pairs,)
    shift: np.ndarray  # (n_pairs, 3) int32
    pos: np.ndarray  # (n_atoms, 3)
    cell: np.ndarray  # (3, 3)
    species: np.ndarray  # (n_atoms,) row of `weight`
    weight: np.ndarray  # (n_species,) the elements' weights

    def most(self, begin: int, end: int) -> int:
        """Largest number of neighbours of centres `begin` to `end`, at least 1."""
        centres = self.centres[begin:end]
        return int((self.first[centres + 1] - self.first[centres]).max(initial=1))


Net = namedtuple(
    "Net",
    [
        "sizes",  # (n_layers + 1,) nodes from input to output
        "kinds",  # (n_layers,) activation: position in ACTIVATIONS
        "weights",  # (n_layers, width, width) from row to column
        "biases",  # (n_layers, width)
        "offset",  # (n_inputs,) inputs are low + (G - offset) * factor
        "factor",  # (n_inputs,)
        "low",  # (1,)
        "unit",  # (1,) of the output
    ],
)

# n2p2's letters: linear, tanh, logistic, softplus, ReLU, Gaussian, cosine, reverse logistic,
# exponential, harmonic.
ACTIVATIONS = "ltsprgcSeh"


def make_net(layers, offset=None, factor=None, low=0.0, unit=1.0):
    """The `Net` of layers (weights (n_in, n_out), biases (n_out,), letter), input to output."""
    sizes = [layers[0][0].shape[0], *(w.shape[1] for w, _, _ in layers)]
    width = max(sizes)
    weights, biases = np.zeros((len(layers), width, width)), np.zeros((len(layers), width))
    for n, (w, b, _) in enumerate(layers):
        weights[n, : w.shape[0], : w.shape[1]] = w
        biases[n, : len(b)] = b
    offset = np.ascontiguousarray(np.zeros(sizes[0]) if offset is None else offset, float)
    factor = np.ascontiguousarray(np.ones(sizes[0]) if factor is None else factor, float)
    return Net(
        np.array(sizes),
        np.array([ACTIVATIONS.index(letter) for _, _, letter in layers]),
        weights,
        biases,
        offset,
        factor,
        np.array([low], float),
        np.array([unit], float),
    )
