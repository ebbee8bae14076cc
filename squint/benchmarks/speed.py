"""What training and tokenising cost, stage by stage, beside the least that they could.

The floor of a stage is the longer of two times: its multiplications at the speed of a plain matrix product,
and the bytes that it must move at the speed of a plain copy.
"""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from anndata import AnnData
from scipy.sparse import csr_matrix

from squint import io, keys, pp, tl
from squint.benchmarks.meter import Meter, Work
from squint.config import ModelConfig, TrainConfig
from squint.nn.codebook import lloyd_steps
from squint.training.run import KMEANS_CELLS, Run


def benchmark(
    adata: AnnData, model: ModelConfig, train: TrainConfig, meter: Meter
) -> Iterator[dict[str, Any]]:
    """Read, train on and tokenise a section, and measure each stage.

    Parameters
    ----------
    adata
        Raw counts; written to a temporary file and read from it.
    model, train
        The choices; all of ``train.n_epochs`` are run.
    meter
        Gets the costs; its device is where the model is.

    Yields
    ------
    The row of each stage, once it is done.
    """
    n_cells = adata.n_obs
    with TemporaryDirectory() as folder:
        path = Path(folder) / "section.h5ad"
        io.write(adata, path)
        del adata
        with meter.stage("read", n_cells, Work(0, path.stat().st_size)):
            given = io.read(path)
        yield meter.rows[-1]
    with meter.stage("graph", n_cells, Work(0, 16 * n_cells + 12 * n_cells * model.n_neighbors)):
        pp.spatial_neighbors(given, n_neighbors=model.n_neighbors)
    yield meter.rows[-1]
    n_edges = csr_matrix(given.obsp[keys.CONNECTIVITIES]).nnz
    with meter.stage("prepare", n_cells):
        run = Run([given], model, train, None, meter.device)
    del given.obsp[keys.CONNECTIVITIES], given.obsp[keys.DISTANCES]
    yield meter.rows[-1]
    n_counts, n_genes = run.cohort.counts.nnz, run.cohort.counts.shape[1]
    size = Size(n_cells, n_genes, n_counts, n_edges, run.cohort.features.shape[1])
    for number in range(1, run.n_epochs + 1):
        if number == run.n_continuous + 1:
            with meter.stage("start of the codebook", n_cells, starting(size, model)):
                run.start_codebook()
            yield meter.rows[-1]
        quantised = number > run.n_continuous
        kind = "" if quantised else ", before the codebook"
        with meter.stage(f"epoch {number}{kind}", n_cells, training(size, model, quantised=quantised)):
            run.epoch(number)
        yield meter.rows[-1]
    with meter.stage("measuring the model", n_cells):
        run.measure()
    yield meter.rows[-1]
    if train.domain_prototypes:
        with meter.stage("learning domains", n_cells):
            run.learn_domains()
        yield meter.rows[-1]
    if train.context_steps:
        with meter.stage("learning to in-paint", n_cells):
            run.learn_to_inpaint()
        yield meter.rows[-1]
    bundle = run.bundle
    del run
    with meter.stage("tokenise, graph included", n_cells, tokenising(size, model)):
        tl.tokenize(given, bundle)
    yield meter.rows[-1]


class Size(NamedTuple):
    """What there is of a section."""

    n_cells: int
    n_genes: int
    n_counts: int  # that are not zero
    n_edges: int  # both directions
    n_features: int


def encoding(size: Size, model: ModelConfig) -> float:
    """Count the operations of all cells' latents, each computed once."""
    n_condition = size.n_features + model.n_section_features
    per_cell = (
        2 * model.n_hidden**2 * max(model.n_mlp_layers - 1, 0)
        + 2 * 2 * model.n_hidden * (model.n_latent + model.n_hidden * (model.n_hops - 1))
        + 2 * n_condition * 2 * model.n_latent
    )
    return 2 * size.n_counts * model.n_hidden + size.n_edges * model.n_hidden + size.n_cells * per_cell


def searching(size: Size, model: ModelConfig) -> float:
    """Count the operations of comparing each latent with each code."""
    return 2 * size.n_cells * model.n_codes * model.n_latent


def decoding(size: Size, model: ModelConfig) -> float:
    """Count the operations of both decoders."""
    n_condition = size.n_features + model.n_section_features
    one = model.n_latent * model.n_hidden + 2 * n_condition * model.n_hidden
    return 2.0 * size.n_cells * (2 * one + model.n_hidden * (size.n_genes + model.n_latent))


def training(size: Size, model: ModelConfig, *, quantised: bool) -> Work:
    """Give the work of one epoch: what is differentiated costs twice as much again on the way back."""
    operations = 3 * (encoding(size, model) + decoding(size, model))
    # Inputs, and the sums over neighbourhoods that the decoder must explain.
    moved = 8 * size.n_counts + 4 * size.n_cells * size.n_genes
    return Work(operations + (searching(size, model) if quantised else 0), moved)


def starting(size: Size, model: ModelConfig) -> Work:
    """Give the work of k-means over latents of some cells."""
    some = size._replace(n_cells=min(size.n_cells, max(KMEANS_CELLS, model.n_codes)))
    of_means = lloyd_steps(model.n_codes) * searching(some, model)
    return Work(encoding(size, model) + of_means, 8 * size.n_counts)


def tokenising(size: Size, model: ModelConfig) -> Work:
    """Give the work of tokens and latents for all cells."""
    moved = 8 * size.n_counts + 12 * size.n_edges + 4 * size.n_cells * (model.n_latent + size.n_features + 3)
    return Work(encoding(size, model) + searching(size, model), moved)
