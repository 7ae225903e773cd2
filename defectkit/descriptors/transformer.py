"""Any descriptor as a step of a scikit-learn pipeline."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin

from .._types import Centres, Frames
from ..symmetry import features
from .protocol import check_descriptor


class Features(TransformerMixin, BaseEstimator):
    """Frames to a table of features, one row for each centre of each frame.

    Parameters
    ----------
    descriptor : SymmetryFunctions or other descriptor
    centres : str, optional
        Element; default all atoms.
    progress : bool, optional

    Examples
    --------
    >>> from ase.build import bulk
    >>> from sklearn.decomposition import PCA
    >>> from sklearn.pipeline import make_pipeline
    >>> from defectkit import SymmetryFunctions
    >>> steps = make_pipeline(Features(SymmetryFunctions.silicon()), PCA(2))
    >>> frames = [bulk("Si", a=a, cubic=True) for a in (5.3, 5.4, 5.5)]
    >>> steps.fit_transform(frames).shape
    (24, 2)
    """

    def __init__(
        self, descriptor: Any = None, centres: Centres = None, progress: bool | None = None
    ) -> None:
        self.descriptor, self.centres, self.progress = descriptor, centres, progress

    def fit(self, frames: Frames, y: Any = None) -> Features:
        """Nothing is learned: checks that there is a descriptor."""
        if check_descriptor(self.descriptor, "descriptor") is None:
            raise ValueError(
                "Features needs a descriptor; give one, for instance "
                "Features(SymmetryFunctions.silicon())."
            )
        return self

    def transform(self, frames: Frames) -> np.ndarray:
        """Features (n_environments, n_features) of all centres of all frames, in their order."""
        self.fit(frames)
        return np.concatenate(
            list(features(frames, self.descriptor, self.centres, progress=self.progress))
        )

    def __sklearn_is_fitted__(self):
        return True
