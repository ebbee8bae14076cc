"""Prepare sections: the graph of neighbours and the genes they share."""

from squint.pp._shared_genes import shared_genes
from squint.pp._spatial_neighbors import knn_graph, section_codes, spatial_neighbors

__all__ = ["knn_graph", "section_codes", "shared_genes", "spatial_neighbors"]
