"""Who may ask for which task: the one table of them."""

from squint.library.people import ADMIN, ANALYST, VIEWER

# Computed from what is there, drawn or written to a file: it changes nothing that anybody else sees.
_LOOKS = (
    *("inpaint_region", "inpaint", "judge_levels", "align", "virtual_section", "perturb"),
    *("co_occurrence", "neighbours", "express_tokens", "compare_vocabularies", "compare_sections"),
    *("count_scores", "pseudobulk", "differential", "score_gene_set", "border_profile", "activate"),
    *("describe_types", "sum_tokens", "make_tiles", "read_transcripts", "read_gene_sets"),
    *("draw", "draw_map", "draw_stage", "write_csv", "write_set", "write_sequences"),
    *("write_virtual_section", "pack_model", "make_report", "count_inside"),
)
# Takes what somebody gave, or adds to the project, or changes what all its members see.
_CHANGES = (
    *("validate", "keep", "take_back", "rebuild", "add_found", "import_samples", "tokenise"),
    *("look_at_image", "add_image", "read_regions", "bring_in", "take_area", "read_profile"),
    *("name_cells", "read_label_columns", "name_by_file", "split_type", "add_patients", "add_gene_sets"),
    *("estimate_training", "train_model", "learn_to_inpaint", "add_model"),
    *("train_without_region", "train_on_stack"),
)
_OVERSEES = ("check_log", "write_log")  # tells what everybody did
ROLES = {
    **dict.fromkeys(_LOOKS, VIEWER),
    **dict.fromkeys(_CHANGES, ANALYST),
    **dict.fromkeys(_OVERSEES, ADMIN),
}


def role_for(task: str) -> str:
    """Give the role that a task needs, by its name; of one that nobody classed, the higher one."""
    return ROLES.get(task, ANALYST)
