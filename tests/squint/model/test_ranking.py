"""Which model fits a section: by its genes at once, then by its cells."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from anndata import AnnData
from hypothesis import given
from hypothesis import strategies as st

import squint
from squint import datasets, keys, tl
from squint.config import ModelConfig, TrainConfig
from squint.errors import InputError
from squint.model.bundle import Bundle
from squint.model.card import BundleCard, read_card
from squint.model.novelty import measure
from squint.model.ranking import Fit, best, compare, ranked, worst
from tests.helpers.bundles import save_bundle
from tests.helpers.paths import ROOT

CHOICES = ModelConfig(n_codes=8, n_hidden=32, n_latent=16)
SHORT = TrainConfig(n_epochs=12, context_steps=0)


def trained(adata: AnnData) -> Bundle:
    *_, last = squint.train(adata, model=CHOICES, train=SHORT, device="cpu")
    return last.bundle


def relabelled(adata: AnnData) -> AnnData:
    """Give the same section with its genes named by chance: the same panel, and tissue that nobody has."""
    names = np.random.default_rng(0).permutation(adata.var_names)
    adata = adata.copy()
    adata.var_names = list(names)
    return adata


def renamed(adata: AnnData, n_genes: int) -> AnnData:
    """Give the same section, of whose genes only some have the names that a model knows."""
    adata = adata.copy()
    adata.var_names = [name if i < n_genes else f"OTHER{i}" for i, name in enumerate(adata.var_names)]
    return adata


@pytest.fixture(scope="module")
def cohort() -> AnnData:
    return datasets.toy(n_cells=600)


@pytest.fixture(scope="module")
def of_the_cohort(cohort: AnnData) -> Bundle:
    return trained(cohort.copy())


@pytest.fixture
def card(tmp_path: Path) -> Callable[..., BundleCard]:
    def make(genes: Sequence[str], organs: Sequence[str] = (), *, simulated: bool = False) -> BundleCard:
        found = read_card(save_bundle(tmp_path / "bundle", genes, simulated=simulated))
        return replace(found, organs=list(organs))

    return make


def fit_of(bundle: Bundle, adata: AnnData, tmp_path: Path, **options: int) -> Fit:
    bundle.save(tmp_path / "saved")
    fit = compare(read_card(tmp_path / "saved"), set(adata.var_names), is_simulated=True)
    return measure(fit, adata, bundle, **options)


@pytest.mark.parametrize(
    ("n_shared", "is_usable", "is_sure", "words"),
    [
        (
            0,
            False,
            False,
            "cannot be used: 0 of its 100 genes (0%) are measured, and at least 25% are needed",
        ),
        (24, False, False, "cannot be used: 24 of its 100 genes (24%)"),
        (25, True, False, "25 of its 100 genes (25%) are measured, and below 60% tokens are uncertain"),
        (59, True, False, "below 60% tokens are uncertain"),
        (60, True, True, "60 of its 100 genes (60%) are measured"),
        (100, True, True, "100 of its 100 genes (100%) are measured"),
    ],
)
def test_genes_alone_say_whether_a_model_can_be_used(
    card: Callable[..., BundleCard],
    n_shared: int,
    is_usable: bool,  # noqa: FBT001
    is_sure: bool,  # noqa: FBT001
    words: str,
) -> None:
    genes = [f"G{i}" for i in range(100)]
    fit = compare(card(genes), {*genes[:n_shared], "OTHER"})
    assert (fit.n_genes, fit.n_shared, fit.share) == (100, n_shared, n_shared / 100)
    assert (fit.is_usable, fit.is_sure) == (is_usable, is_sure)
    assert fit.words.startswith(words) or words in fit.words


def test_organs_count_where_both_state_one(card: Callable[..., BundleCard]) -> None:
    kidney, none = card(["A"], ["Kidney", "lung"]), card(["A"])
    assert compare(kidney, {"A"}, organ=" kidney ").same_organ is True
    assert compare(kidney, {"A"}, organ="liver").same_organ is False
    assert compare(kidney, {"A"}).same_organ is None
    assert compare(none, {"A"}, organ="kidney").same_organ is None
    order = ranked(
        {
            "liver": compare(kidney, {"A"}, organ="liver"),
            "none": compare(none, {"A"}, organ="liver"),
        }
    )
    assert order == ["none", "liver"]
    assert "trained on other organs" in compare(kidney, {"A"}, organ="liver").words


def test_a_model_of_simulated_data_comes_after_a_real_one_for_a_real_section(
    card: Callable[..., BundleCard],
) -> None:
    made_up, real = card(["A", "B", "C"], simulated=True), card(["A", "B", "C", "D"])
    genes = {"A", "B", "C"}
    fits = {"made up": compare(made_up, genes), "real": compare(real, genes)}
    assert best(fits) == "real"
    fits = {name: compare(one, genes, is_simulated=True) for name, one in [("a", made_up), ("b", real)]}
    assert best(fits) == "a"


def test_the_model_of_this_panel_is_chosen_and_none_for_another_panel(
    of_the_cohort: Bundle, tmp_path: Path
) -> None:
    section = datasets.toy(seed=1, n_cells=300)
    fits = {n: fit_of(of_the_cohort, renamed(section, n), tmp_path) for n in (0, 9, 10, 24, 40)}
    assert [n for n, fit in fits.items() if fit.is_usable] == [10, 24, 40]
    assert ranked(fits)[0] == 40
    assert best(fits) == 40
    for n, fit in fits.items():  # the tool agrees
        if fit.is_usable:
            tl.tokenize(renamed(section, n), of_the_cohort)
        else:
            with pytest.raises(InputError, match="at least 25%"):
                tl.tokenize(renamed(section, n), of_the_cohort)
    with pytest.raises(
        InputError, match=r"None of the models fits\. The nearest cannot be used: 9 of its 40"
    ):
        best({n: fits[n] for n in (0, 9)})
    with pytest.raises(InputError, match="no model to choose from"):
        best({})


def test_of_two_models_of_one_panel_that_of_this_tissue_is_chosen(tmp_path: Path) -> None:
    kidney = Bundle.load(ROOT / "data_samples" / "pretrained")
    other = replace(kidney, genes=list(np.random.default_rng(0).permutation(kidney.genes)))
    section = squint.read(ROOT / "data_samples" / "SIM-H-1.h5ad")
    for adata, wanted in ((section, "kidney"), (relabelled(section), "other")):
        fits = {
            "other": fit_of(other, adata, tmp_path, n_cells=500),
            "kidney": fit_of(kidney, adata, tmp_path, n_cells=500),
        }
        assert {fit.share for fit in fits.values()} == {1.0}
        assert best(fits) == wanted
        known, new = sorted(fit.novelty for fit in fits.values())
        assert new > 0.4
        assert known < 0.05


def test_a_real_section_is_new_to_a_model_of_simulated_data(real_section: Callable[[str], Path]) -> None:
    adata = squint.read(real_section("xenium_breast_roi_17k"))
    folder = ROOT / "data_samples" / "pretrained"
    fit = measure(compare(read_card(folder), set(adata.var_names)), adata, Bundle.load(folder))
    assert fit.is_usable
    assert not fit.is_sure
    assert fit.novelty > 0.5
    assert fit.words.endswith("trained on simulated data alone")


def test_of_all_cells_novelty_is_what_tokenising_finds(of_the_cohort: Bundle, tmp_path: Path) -> None:
    section = datasets.toy(seed=3, n_cells=300, n_sections=1)
    fit = fit_of(of_the_cohort, section.copy(), tmp_path)
    tl.tokenize(section, of_the_cohort)
    (beyond,) = section.uns[keys.PROVENANCE]["share_beyond_p99"].values()
    assert fit.novelty == pytest.approx(beyond)
    assert fit.depth == np.median(np.asarray(section.X.sum(axis=1)))
    assert fit.depth_in_training == pytest.approx(of_the_cohort.scale.depth)
    assert not fit.is_trained_on
    assert f"{fit.novelty:.1%} of the cells are new to it" in fit.words


def test_a_sample_is_drawn_by_its_seed_and_near_the_whole(of_the_cohort: Bundle, tmp_path: Path) -> None:
    section = relabelled(datasets.toy(seed=4, n_cells=600))[:, ::-1].copy()
    whole = fit_of(of_the_cohort, section, tmp_path).novelty
    first, again, other = (
        fit_of(of_the_cohort, section, tmp_path, n_cells=150, seed=seed).novelty for seed in (0, 0, 1)
    )
    assert first == again
    assert {first, other} != {whole}
    assert abs(first - whole) < 5 * np.sqrt(whole * (1 - whole) / 150)


def test_a_model_knows_the_sections_that_it_was_trained_on(
    cohort: AnnData, of_the_cohort: Bundle, tmp_path: Path
) -> None:
    fit = fit_of(of_the_cohort, cohort.copy(), tmp_path)
    assert fit.is_trained_on
    assert fit.novelty < 0.05
    alike = replace(fit, is_trained_on=False, novelty=0.0)
    assert ranked({"alike": alike, "itself": fit}) == ["itself", "alike"]


def test_what_cannot_be_tokenised_is_said(of_the_cohort: Bundle, tmp_path: Path) -> None:
    section = datasets.toy(seed=1, n_cells=100)
    empty = section.copy()
    empty.X = empty.X * 0
    assert "no cell has a count" in fit_of(of_the_cohort, empty, tmp_path).words
    section.uns[keys.PROVENANCE]["values"] = "intensities"
    fit = fit_of(of_the_cohort, section, tmp_path)
    assert not fit.is_usable
    assert fit.words == "cannot be used: the section holds intensities, not counts"


def test_of_a_model_whose_training_was_cut_short_novelty_is_not_known(
    of_the_cohort: Bundle, tmp_path: Path
) -> None:
    cut = replace(of_the_cohort, distance_p99=float("nan"))
    fit = fit_of(cut, datasets.toy(seed=1, n_cells=100), tmp_path)
    assert np.isnan(fit.novelty)
    assert fit.is_usable
    assert "how many cells are new to it is not known" in fit.words
    assert not fit.is_good


_FITS = st.builds(
    Fit,
    n_genes=st.just(20),
    n_shared=st.integers(0, 20),
    same_organ=st.sampled_from([None, True, False]),
    is_trained_on=st.booleans(),
    made_up=st.booleans(),
    novelty=st.one_of(st.just(float("nan")), st.floats(0, 1)),
    problem=st.sampled_from(["", "the section holds intensities"]),
)


@given(st.lists(_FITS, min_size=1, max_size=8), st.randoms())
def test_the_order_of_models_does_not_matter_and_usable_ones_come_first(
    fits: list[Fit], random: "np.random.Generator"
) -> None:
    named = dict(enumerate(fits))
    order = ranked(named)
    assert sorted(order) == sorted(named)
    usable = [named[key].is_usable for key in order]
    assert usable == sorted(usable, reverse=True)
    mixed = list(named)
    random.shuffle(mixed)
    assert [named[k].order for k in ranked({k: named[k] for k in mixed})] == [named[k].order for k in order]
    assert worst(fits).order == named[order[-1]].order
    if any(usable):
        assert best(named) == order[0]
    else:
        with pytest.raises(InputError, match="None of the models fits"):
            best(named)


@given(_FITS, st.floats(0, 1), st.floats(0, 1))
def test_fewer_new_cells_never_fit_worse(fit: Fit, one: float, other: float) -> None:
    less, more = sorted((one, other))
    assert replace(fit, novelty=less).order <= replace(fit, novelty=more).order
    assert replace(fit, novelty=more).order <= replace(fit, novelty=float("nan")).order


@given(_FITS)
def test_more_shared_genes_never_fit_worse(fit: Fit) -> None:
    for n_shared in range(fit.n_shared, 21):
        assert replace(fit, n_shared=n_shared).order <= fit.order


def test_a_model_is_proposed_where_it_is_known_to_know_the_tissue() -> None:
    assert Fit(100, 60, novelty=0.5).is_good
    assert not Fit(100, 59, novelty=0.0).is_good  # its tokens are uncertain
    assert not Fit(100, 100, novelty=0.51).is_good  # most cells are new to it
    assert not Fit(100, 100).is_good  # nobody looked
    assert not Fit(100, 100, novelty=0.0, made_up=True).is_good
    assert not Fit(100, 100, novelty=0.0, problem="damaged").is_good
