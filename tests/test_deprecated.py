"""Old public names stay for one release: they still work, and say what they are called now."""

import warnings

import pytest

import defectkit as dk
from defectkit._deprecated import renamed_arguments

OLD = {
    "equalised_sample": "density_balanced_sample",
    "embed_equalised": "embed_density_balanced",
    "defects.Choice": "DefectSelection",
    "defects.defect_cluster": "select_defect_clusters",
    "imbalance.equalised_sample": "density_balanced_sample",
    "imbalance.embed_equalised": "embed_density_balanced",
    "clusters.vote_error": "knn_error",
    "clusters.nearest_vote": "knn_labels",
    "io.atomic_write.whole": "atomic_write",
}


@pytest.mark.parametrize("old", OLD)
def test_an_old_name_is_the_new_thing_and_warns_where_it_is_used(old):
    import defectkit.io.atomic_write  # noqa: F401

    *path, name = old.split(".")
    home = dk
    for part in path:
        home = getattr(home, part)
    with pytest.warns(DeprecationWarning, match=f"{name} is now called {OLD[old]}") as caught:
        found = getattr(home, name)
    assert found is getattr(home, OLD[old]) and caught[0].filename == __file__


def test_an_unknown_name_is_no_old_one():
    for home in (dk.defects, dk.imbalance, dk.clusters):
        with pytest.raises(AttributeError, match="has no attribute 'nonsense'"):
            _ = home.nonsense


def test_arguments_of_old_names_are_passed_under_the_new():
    @renamed_arguments(max_share="max_fraction")
    def function(a, max_fraction=0.1):
        return a, max_fraction

    with pytest.warns(
        DeprecationWarning, match="the argument max_share of function is now called max_fraction"
    ) as caught:
        assert function(1, max_share=0.3) == (1, 0.3)
    assert caught[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert function(1, 0.2) == (1, 0.2)
    with pytest.raises(TypeError, match="got both max_fraction and max_share, its old name"):
        function(1, max_fraction=0.2, max_share=0.3)
