"""Every AnnData slot that squint reads or writes, named once, with its shape and unit."""

# --- a section, in -------------------------------------------------------------------------------------
COUNTS = "counts"  # layers, CSR (n, g): raw counts, where X holds something else
SPATIAL = "spatial"  # obsm, float64 (n, 2 | 3): x right, y down, in uns["squint"]["unit"]
SECTION = "section_id"  # obs, categorical: one piece of tissue
PATIENT = "patient_id"  # obs, categorical
CELL_TYPE = "cell_type"  # obs, categorical
REGION = "region"  # obs, categorical: a part of the tissue that somebody outlined and named
CELL_ID = "cell_id"  # obs, str: the instrument's id of a cell, where it is not the cell's name here
Z = "z_um"  # obs, float: height of the cell's level, um
CELL_AREA = "cell_area"  # obs, float: um2
CONTROL_COUNTS = "control_counts"  # obs: counts of controls, which are no genes
IN_TISSUE = "in_tissue"  # obs, 1 or 0: whether a spot or bin lies on the tissue

# --- the graph, under squidpy's names --------------------------------------------------------------------
CONNECTIVITIES = "spatial_connectivities"  # obsp, CSR (n, n): 1 between neighbours, symmetric
DISTANCES = "spatial_distances"  # obsp, CSR (n, n): distance between neighbours, in the unit of SPATIAL

# --- a section, out --------------------------------------------------------------------------------------
TOKEN = "squint_token"  # obs, categorical of str: code of the first head; missing without counts
TOKENS = "squint_tokens"  # obsm, int32 (n, heads); -1 = none
DISTANCE = "squint_distance"  # obs, float32 in [0, 2]: 1 - cosine of latent and code; NaN without a token
LATENT = "X_squint"  # obsm, float32 (n, n_latent): after FiLM, before quantisation; NaN without a token
RECONSTRUCTED = (
    "squint_reconstructed"  # obsm, float32 (n, g): mean counts of the closed neighbourhood, from codes
)
RECONSTRUCTED_GRAPH = "squint_reconstructed_connectivities"  # obsp, CSR (n, n): the graph, from codes
ACTIVATION = "squint_activation"  # obs, float32 in [0, 1]; NaN = not computed, or no token
HIDDEN = "squint_hidden"  # obs, bool: hidden from the model in training and input
SIMULATED_POSITION = "squint_simulated_position"  # obs, bool: no cell was measured there
IMPUTED = "squint_imputed"  # obsm, DataFrame float32 (n, g): mean of closed neighbourhoods; NaN if observed
IMPUTED_CELL = "squint_imputed_cell"  # obsm, DataFrame float32 (n, g): of the cell itself; NaN if observed
IMPUTED_SD = "squint_imputed_sd"  # obsm, DataFrame float32 (n, g): of IMPUTED over draws; NaN if observed
PREDICTED_TOKEN = "squint_predicted_token"  # obs, categorical of str: voted by cells of measured levels
PREDICTED_TOKEN_SHARE = "squint_predicted_token_share"  # obs, float32 in [0, 1]: its share of the votes
BETWEEN_QUALITY = "squint_virtual_section_quality"  # uns, DataFrame: how well whole levels were told
QUALITY = "squint_imputation_quality"  # uns, DataFrame: how well levels and genes were in-painted
ALIGNED = "spatial_aligned"  # obsm, float64 (n, 2): x and y with all levels laid onto one, unit of SPATIAL
ALIGNMENT = "squint_alignment"  # uns, DataFrame: how each level lies to the one below
DOMAIN = "squint_domain"  # obs, categorical of str: kind of wider surroundings, of as many as were asked for
RESIDUAL_TOKENS = (
    "squint_residual_tokens"  # obsm, int32 (n, 1): prototype of the wider surroundings; -1 = no token
)
CO_OCCURRENCE = "squint_co_occurrence"  # uns, dict: how the usage of tokens varies together
COMMUNITY = "squint_community"  # obs, categorical of str: of the cell's token; missing if not correlated
SECTION_DISTANCES = "squint_section_distances"  # uns, dict: how far sections lie from each other
NEIGHBOR_ENRICHMENT = "squint_neighbor_enrichment"  # uns, dict: how often tokens are neighbours
PROFILES = "squint_token_profiles"  # uns, DataFrame indexed by token: what each token is
VOCABULARIES = "squint_vocabularies"  # uns, dict: which token of one model is which of another
TOKEN_EXPRESSION = "squint_token_expression"  # uns, DataFrame: how much of each gene in each token
DEGS = "squint_differential_expression"  # uns, DataFrame indexed by gene: two groups of cells compared
NAMED_TYPE = "squint_cell_type"  # obs, categorical of str: the labeling in use; missing = none
NAMED_TYPE_CONFIDENCE = "squint_cell_type_confidence"  # obs, float32 in [0, 1] of it; NaN = none stated
LABELS_PREFIX = "squint_labels_"  # obs, categorical: a labeling by its name, as in uns["squint"]["labelings"]
CONFIDENCE_PREFIX = "squint_confidence_"  # obs, float32 in [0, 1] of that; NaN = none stated
EVIDENCE = "squint_cell_type_evidence"  # uns, DataFrame: how each cluster scores for each set of markers
PSEUDOBULK = "squint_pseudobulk"  # uns, DataFrame indexed by gene: two groups compared across patients
SET_SCORE = "squint_set_score"  # obs, float32: of a set of genes, on the scale of log1p; NaN without counts
SMOOTHED_SUFFIX = "_smoothed"  # obs, float32, after such a name: its mean over the closed 1-hop neighbourhood
BORDER_DISTANCE = (
    "squint_border_distance"  # obs, float32: to a border, unit of SPATIAL; negative inside; NaN = none
)
BORDER_PROFILE = "squint_border_profile"  # uns, dict: what cells are like by that distance
PERTURBED_TOKEN = "squint_perturbed_token"  # obs, categorical of str: token after a computed perturbation
PERTURBATION_ROLE = "squint_perturbation_role"  # obs, categorical: perturbed, affected or unaffected
PERTURBATION = "squint_perturbation"  # uns, dict: what a perturbation moved, and what shams do
PROVENANCE = "squint"  # uns, JSON-able: versions, sha256, parameters, UTC time, unit, notes
