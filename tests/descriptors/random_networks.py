"""Potentials and networks of random numbers, the smallest of their class, for Na and Cl."""

from functools import wraps

import numpy as np


def once(write):
    """A file that is already there is taken as it is."""

    @wraps(write)
    def written(path, **options):
        return path if path.exists() else write(path, **options)

    return written


@once
def nep(path):
    """nep.txt of a NEP4 with cutoffs of 5 and 4 Å and 30 descriptors."""
    rng = np.random.default_rng(0)
    radial, angular, neurons, types = 5, 5 * 5, 4, 2
    n = types * (radial + angular + 2) * neurons + 1 + types**2 * (5 * 9 + 5 * 9)
    head = (
        "nep4 2 Na Cl\ncutoff 5 4 100 60\nn_max 4 4\nbasis_size 8 8\nl_max 4 2 0\n"
        f"ANN {neurons} 0\n"
    )
    numbers = [*rng.normal(size=n), *np.ones(radial + angular)]
    path.write_text(head + "\n".join(f"{x:.7e}" for x in numbers) + "\n")
    return path


@once
def chgnet(path):
    import torch
    from chgnet.model.model import CHGNet

    torch.manual_seed(0)
    small = {"atom_fea_dim": 8, "bond_fea_dim": 8, "angle_fea_dim": 8, "n_conv": 2}
    small |= {"atom_conv_hidden_dim": 8, "bond_conv_hidden_dim": 8, "mlp_hidden_dims": (8,)}
    torch.save({"model": CHGNet(**small).as_dict()}, path)
    return path


def mace():
    """Two layers of eight scalars and, after the first, eight vectors; cutoff 4 Å."""
    import torch
    from mace import modules  # before e3nn, whose old version it lets read its constants
    from e3nn import o3  # isort: skip

    torch.manual_seed(0)
    block = modules.interaction_classes["RealAgnosticResidualInteractionBlock"]
    return modules.ScaleShiftMACE(
        r_max=4.0,
        num_bessel=4,
        num_polynomial_cutoff=5,
        max_ell=2,
        interaction_cls=block,
        interaction_cls_first=block,
        num_interactions=2,
        num_elements=2,
        hidden_irreps=o3.Irreps("8x0e + 8x1o"),
        MLP_irreps=o3.Irreps("4x0e"),
        atomic_energies=np.zeros((1, 2)),
        avg_num_neighbors=0.5,  # few, so that neighbours count
        atomic_numbers=[11, 17],
        correlation=2,
        gate=torch.nn.functional.silu,
        atomic_inter_scale=1.0,
        atomic_inter_shift=0.0,
    )


@once
def sevennet(path, modal=False, parity=True):
    """A checkpoint as SevenNet's training writes it: two layers, cutoff 3 Å."""
    import sevenn
    import torch
    from sevenn._const import DEFAULT_E3_EQUIVARIANT_MODEL_CONFIG
    from sevenn.model_build import build_E3_equivariant_model

    torch.manual_seed(0)
    config = DEFAULT_E3_EQUIVARIANT_MODEL_CONFIG | {
        "version": sevenn.__version__,
        "cutoff": 3.0,
        "channel": 8,
        "num_convolution_layer": 2,
        "is_parity": parity,
        "weight_nn_hidden_neurons": [8],
        "conv_denominator": 8.0,
        "_type_map": {11: 0, 17: 1},
        "_number_of_species": 2,
        "chemical_species": ["Na", "Cl"],
        "shift": np.float64(0.0),  # as older checkpoints have them
        "scale": np.ones(2),
    }
    if modal:
        config |= {
            "use_modality": True,
            "use_modal_node_embedding": True,
            "_modal_map": {"pbe": 0, "r2scan": 1},
            "_number_of_modalities": 2,
            "use_modal_wise_shift": False,
            "use_modal_wise_scale": False,
        }
    state = build_E3_equivariant_model(dict(config)).state_dict()
    torch.save({"config": config, "model_state_dict": state}, path)
    return path


@once
def mattersim(path):
    """Two blocks, cutoffs of 4 and 3 Å."""
    import torch
    from mattersim.forcefield.m3gnet.m3gnet import M3Gnet

    torch.manual_seed(0)
    small = {"num_blocks": 2, "units": 8, "max_l": 3, "max_n": 3}
    net = M3Gnet(**small, cutoff=4.0, threebody_cutoff=3.0, device="cpu")
    content = {"model_name": "m3gnet", "model": net.state_dict(), "model_args": net.model_args}
    torch.save(content, path)
    return path
