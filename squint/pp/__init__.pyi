from ._quality_filter import Passed as Passed
from ._quality_filter import QualityFilter as QualityFilter
from ._quality_filter import quality_criteria as quality_criteria
from ._quality_filter import quality_filter as quality_filter
from ._shared_genes import shared_genes as shared_genes
from ._spatial_neighbors import knn_graph as knn_graph
from ._spatial_neighbors import section_codes as section_codes
from ._spatial_neighbors import spatial_neighbors as spatial_neighbors
