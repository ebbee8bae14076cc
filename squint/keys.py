"""Every AnnData slot that squint reads or writes, named once, with its shape and unit."""

# --- a section, in -------------------------------------------------------------------------------------
COUNTS = "counts"  # layers, CSR (n, g): raw counts, where X holds something else
SPATIAL = "spatial"  # obsm, float64 (n, 2 | 3): x right, y down, in uns["squint"]["unit"]
SECTION = "section_id"  # obs, categorical: one piece of tissue
PATIENT = "patient_id"  # obs, categorical
CELL_TYPE = "cell_type"  # obs, categorical
Z = "z_um"  # obs, float: height of the cell's level, um

# --- the graph, under squidpy's names --------------------------------------------------------------------
CONNECTIVITIES = "spatial_connectivities"  # obsp, CSR (n, n): 1 between neighbours, symmetric
DISTANCES = "spatial_distances"  # obsp, CSR (n, n): distance between neighbours, in the unit of SPATIAL

# --- a section, out --------------------------------------------------------------------------------------
TOKEN = "squint_token"  # obs, categorical of str: the code's index at the first level and first head
TOKENS = "squint_tokens"  # obsm, int32 (n, heads)
DISTANCE = "squint_distance"  # obs, float32 in [0, 2]: 1 - cosine between the cell's latent and its code
LATENT = "X_squint"  # obsm, float32 (n, n_latent): after FiLM, before quantisation
RECONSTRUCTED = (
    "squint_reconstructed"  # obsm, float32 (n, g): mean counts of the closed neighbourhood, from codes
)
RECONSTRUCTED_GRAPH = "squint_reconstructed_connectivities"  # obsp, CSR (n, n): the graph, from codes
ACTIVATION = "squint_activation"  # obs, float32 in [0, 1]; NaN = not computed
HIDDEN = "squint_hidden"  # obs, bool: hidden from the model in training and input
PROFILES = "squint_token_profiles"  # uns, DataFrame indexed by token: what each token is
PROVENANCE = "squint"  # uns, JSON-able: versions, sha256, parameters, UTC time, unit, notes
