import numpy as np
import pandas as pd
import torch
from anndata import AnnData
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from squint import keys
from squint.model.bundle import Bundle
from squint.model.cohort import Cohort
from squint.model.tokens import Squint, decode, embed
from squint.nn.decoders import top_edges
from squint.tl._fit import prepare_for_model


def reconstruct(adata: AnnData, bundle: Bundle, *, copy: bool = False) -> AnnData | None:
    """Rebuild expression and graph from the codes alone, to see what the tokens keep of a section.

    Parameters
    ----------
    adata
        One or several sections of raw counts. The result is dense, so take a part of a large section.
    bundle
        A trained model.
    copy
        Return a changed copy instead of changing ``adata``.

    Returns
    -------
    Returns ``None`` if ``copy=False``, else an ``AnnData``. Sets the following fields:

    ``adata.obsm["squint_reconstructed"]`` : :class:`pandas.DataFrame`, float32 (n, g)
        Expected mean counts of each closed neighbourhood: the decoded share of each gene, times the summed
        depth, divided by the neighbourhood's size. The columns are the model's genes. NaN for cells without a
        count in them, which have no token.
    ``adata.obsp["squint_reconstructed_connectivities"]`` : CSR (n, n), float32
        1 between cells with a token whose edge is among the ``n_neighbors`` most probable of either, within
        a section.
    ``adata.obsp["spatial_connectivities"]``, ``adata.obsp["spatial_distances"]`` : CSR (n, n)
        The graph, if there was none.
    ``adata.uns["spatial_neighbors"]`` : dict
        How that graph was built.

    Raises
    ------
    InputError
        If the section measures less than 25 % of the model's genes, or holds intensities.

    References
    ----------
    SQUINT, section 4.2, decoder.
    """
    adata = adata.copy() if copy else adata
    cohort, conditions, _ = prepare_for_model(adata, bundle)
    means, vectors = _decode_all(bundle.model, cohort, conditions)
    adata.obsm[keys.RECONSTRUCTED] = pd.DataFrame(means, index=adata.obs_names, columns=bundle.genes)
    adata.obsp[keys.RECONSTRUCTED_GRAPH] = _graph(cohort, vectors, bundle.model_config.n_neighbors)
    return adata if copy else None


def _decode_all(
    model: Squint, cohort: Cohort, conditions: NDArray[np.int64]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Give expected neighbourhood means (n, g) and edge vectors (n, d), NaN for empty cells."""
    means = np.full(cohort.counts.shape, np.nan, dtype=np.float32)
    vectors = np.full((cohort.n_cells, model.config.n_latent), np.nan, dtype=np.float32)
    for part in embed(model, cohort, conditions):
        decoded = decode(model, cohort, conditions, part)
        depth = cohort.neighbourhood_sums(part.cells).sum(axis=1) / cohort.neighbourhood_sizes(part.cells)
        means[part.cells] = decoded.log_shares.exp().cpu().numpy() * depth[:, None]
        vectors[part.cells] = decoded.edge_vectors.cpu().numpy()
    return means, vectors


def _graph(cohort: Cohort, vectors: NDArray[np.float32], n_neighbors: int) -> csr_matrix:
    """Join the most probable pairs of each section."""
    pairs = []
    for section in range(len(cohort.section_names)):
        cells = np.flatnonzero((cohort.section == section) & ~cohort.empty)
        pairs.append(cells[top_edges(torch.from_numpy(vectors[cells]), n_neighbors).numpy()])
    row, column = np.concatenate(pairs, axis=1)
    return csr_matrix((np.ones(len(row), dtype=np.float32), (row, column)), shape=cohort.graph.shape)
