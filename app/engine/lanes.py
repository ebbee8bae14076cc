"""Which task is done in which lane: the one table of them."""

from squint.engine.lanes import FILES, MODEL, SHORT

# Tasks that are not named here may take long, or need the model.
LANES = {
    **dict.fromkeys(
        (
            *("validate", "keep", "import_samples", "take_back", "rebuild", "add_found"),
            *("look_at_image", "add_image", "add_model", "make_tiles", "read_transcripts"),
            *("check_log", "write_log"),
        ),
        FILES,
    ),
    **dict.fromkeys(
        (
            *("draw", "draw_map", "draw_stage", "write_csv", "bring_in", "take_area", "write_set"),
            *("read_regions", "count_inside", "add_gene_sets", "read_gene_sets", "activate"),
            *("co_occurrence", "neighbours", "write_sequences", "pack_model", "read_label_columns"),
            *("name_by_file", "describe_types", "compare_sections", "count_scores", "add_patients"),
            *("compare_vocabularies", "score_gene_set", "border_profile", "read_profile"),
        ),
        SHORT,
    ),
}


def lane_of(task: str) -> str:
    """Give the lane of a task, by its name."""
    return LANES.get(task, MODEL)
