"""What may be kept of a section."""

from squint import keys

KEPT_COLUMNS = (keys.SECTION, keys.PATIENT, keys.CELL_TYPE, keys.REGION, keys.Z)
PLANTED_COLUMNS = (  # of the simulated cohort
    "tumour_core",
    "hypoxia",
    "true_type",
    "state",
    "induction",
    "to_tumour_um",
    "risk",
)
