import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from squint import datasets, keys
from squint.errors import InputError
from squint.stats import label_transfer


def tissue(seed):
    adata = datasets.toy(seed=seed, n_cells=1200)
    return csr_matrix(adata.X), adata.obs[datasets.TRUE_TYPE].astype(str).to_numpy(dtype=object), adata


@pytest.fixture(scope="module")
def taught():
    """Give what was learned of one simulated tissue, and another to be named."""
    counts, types, _ = tissue(0)
    return label_transfer.teach(counts, types), *tissue(1)[:2]


def test_planted_types_of_another_tissue_are_named(taught):
    teacher, counts, types = taught
    codes, confidence = teacher.name(counts, 0.5)
    named = codes >= 0
    assert named.mean() > 0.85
    assert (np.array(teacher.types)[codes[named]] == types[named]).mean() > 0.97
    assert ((confidence >= 0) & (confidence <= 1)).all()


@pytest.mark.parametrize("withheld", ["CD8 T cell", "endothelium", "fibroblast", "macrophage", "tumour"])
def test_a_type_that_the_teacher_never_saw_stays_mostly_unknown(withheld):
    counts, types, _ = tissue(0)
    teacher = label_transfer.teach(counts[types != withheld], types[types != withheld])
    other, truth, _ = tissue(1)
    codes, _ = teacher.name(other, 0.5)
    assert (codes[truth == withheld] < 0).mean() > 0.9
    assert (codes[truth != withheld] < 0).mean() < 0.15


def test_a_higher_bound_never_names_more_nor_another_way(taught):
    teacher, counts, _ = taught
    loose, tight = teacher.name(counts, 0.3)[0], teacher.name(counts, 0.9)[0]
    assert (loose[tight >= 0] == tight[tight >= 0]).all()
    assert (tight < 0).sum() >= (loose < 0).sum()


def test_order_and_depth_of_a_cell_s_counts_do_not_change_how_probable_a_type_is(taught):
    teacher, counts, _ = taught
    probable = teacher.probabilities(counts)
    np.testing.assert_allclose(teacher.probabilities(csr_matrix(counts * 3)), probable, rtol=1e-4)
    np.testing.assert_allclose(teacher.probabilities(csr_matrix(counts[::-1])), probable[::-1], rtol=1e-6)


def test_a_twentieth_of_the_teacher_s_cells_are_strange_to_their_own_type():
    counts, types, _ = tissue(0)
    teacher = label_transfer.teach(counts, types, strange=0.05)
    own = np.array([teacher.types.index(kind) for kind in types])
    strange = teacher.usual(counts)[np.arange(len(own)), own] < teacher.lowest[own]
    assert strange.mean() == pytest.approx(0.05, abs=0.01)


def test_cells_without_counts_are_unknown(taught):
    codes, confidence = taught[0].name(csr_matrix(np.zeros((2, 40))), 0.0)
    assert (codes == -1).all()
    assert np.isnan(confidence).all()


def test_the_seed_alone_decides(monkeypatch):
    monkeypatch.setattr(label_transfer, "MOST", 50)
    counts, types, _ = tissue(0)
    one, two, other = (label_transfer.teach(counts, types, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.weights, two.weights)
    assert not np.array_equal(one.weights, other.weights)


def test_types_of_few_cells_are_not_learned_and_one_type_is_refused():
    counts, types, _ = tissue(0)
    types[np.flatnonzero(types == "tumour")[9:]] = "other"
    assert "tumour" not in label_transfer.teach(counts, types).types
    with pytest.raises(InputError, match="1 types have 10"):
        label_transfer.teach(counts, np.full(len(types), "one", dtype=object))


def test_what_is_said_of_held_out_cells_is_what_can_be_counted():
    counts, types, adata = tissue(0)
    sections = adata.obs[keys.SECTION].to_numpy(dtype=object)
    held_out = label_transfer.spatial_blocks(adata.obsm[keys.SPATIAL], sections)
    found = label_transfer.calibrate(counts, types, held_out, "blocks", min_confidence=0.5)
    teacher = label_transfer.teach(counts[~held_out], types[~held_out])
    codes, _ = teacher.name(counts[held_out], 0.5)
    truth, named = types[held_out], codes >= 0
    right = named & (np.array(teacher.types)[codes] == truth)
    assert found.n_cells == held_out.sum()
    assert found.share_unknown == pytest.approx((~named).mean())
    assert found.accuracy_of_named == pytest.approx(right.sum() / named.sum())
    recalls = [right[truth == kind].mean() for kind in set(truth)]
    assert found.balanced_accuracy == pytest.approx(np.mean(recalls))
    assert found.expected_calibration_error < 0.1
    assert found.not_scored == []


@settings(max_examples=50)
@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=50))
def test_calibration_error_is_the_mean_gap_of_ten_bins(cells):
    confidence, right = np.array([c for c, _ in cells]), np.array([r for _, r in cells])
    gaps = 0.0
    for number in range(10):
        inside = np.minimum(np.floor(confidence * 10), 9) == number
        if inside.any():
            gaps += inside.sum() * abs(confidence[inside].mean() - right[inside].mean())
    assert label_transfer.calibration_error(confidence, right) == pytest.approx(gaps / len(cells), abs=1e-9)


def test_cells_that_are_as_sure_as_right_have_no_calibration_error():
    rng = np.random.default_rng(0)
    confidence = rng.random(100_000)
    assert label_transfer.calibration_error(confidence, rng.random(100_000) < confidence) < 0.01
    assert label_transfer.calibration_error(np.full(10, 0.9), np.zeros(10, dtype=bool)) == pytest.approx(0.9)


def test_blocks_are_a_fifth_of_each_section_and_hang_together():
    rng = np.random.default_rng(0)
    positions = rng.random((4000, 2)) * [1000, 300]
    sections = np.repeat(["a", "b"], [3000, 1000]).astype(object)
    chosen = label_transfer.spatial_blocks(positions, sections)
    for section in ("a", "b"):
        assert chosen[sections == section].mean() == pytest.approx(0.2, abs=0.02)
    own = positions[sections == "a"]
    gap = np.linalg.norm(own[:, None] - own[None], axis=2) + np.eye(len(own)) * 1e9
    nearest = gap.argmin(axis=1)
    here = chosen[sections == "a"]
    assert (here[nearest] == here).mean() > 0.9
    moved = label_transfer.spatial_blocks(positions * 7 - 3, sections)
    assert (moved == chosen).all()
