"""What a report says in sentences, each filled from its recipe and its numbers."""

from collections.abc import Sequence

from squint import keys
from squint.report.recipe import Comparison, Recipe
from squint.report.tables import GROUP, REFERENCE, Computed

NOTICE = "For research use only. Not for use in diagnostic procedures."
_TESTS = {
    "wilcoxon": "the Wilcoxon rank-sum test (normal approximation, corrected for ties)",
    "t-test": "Welch's t test",
}
_WHAT = {
    "score": "activation score",
    "token": "token",
    "cell_type": "cell type",
    "region": "region",
    "patient": "patient",
    "section": "section",
    "cell_set": "cell set",
}


def many(n: int, what: str) -> str:
    """Write a number of things."""
    return f"{n:,} {what}{'' if n == 1 else 's'}"


def counts(computed: Computed) -> str:
    """Say how much is shown."""
    n_patients = len({record.patient for record in computed.recipe.shown})
    return (
        f"{many(len(computed.cells), 'cell')}, {many(len(computed.recipe.shown), 'section')}, "
        f"{many(n_patients, 'patient')}"
    )


def groups(asked: Comparison, recipe: Recipe) -> tuple[str, str]:
    """Name the two groups of a comparison."""
    if asked.by == "score" and recipe.activation is not None:
        named = {
            "low": f"a score below {recipe.activation.low:g}",
            "high": f"a score above {recipe.activation.high:g}",
            "intermediate": "a score between both thresholds",
        }
    else:
        named = {label: f"{_WHAT[asked.by]} {label}" for label in (*asked.group, *asked.reference)}
    second = " or ".join(named[label] for label in asked.reference) or "all other cells"
    return " or ".join(named[label] for label in asked.group), second


def key_findings(computed: Computed) -> list[str]:
    """Say the few numbers that the report is about, each with its n."""
    recipe, tables, said = computed.recipe, computed.tables, []
    how = computed.facts.get("activation")
    if recipe.activation is not None and how:
        against = f" against {how['against']}" if how["against"] else ""
        if not how["codes"]:
            said.append(f"No code is enriched in {how['reference']}{against}: there are no scores to read.")
        else:
            said.append(
                f"The {many(len(how['codes']), 'code')} {how['mode']} in {how['reference']}{against} (tokens "
                f"{', '.join(how['codes'])}) cover {how['share_covered']:.1%} of that patient's "
                f"{how['n_reference']:,} cells."
            )
        for _, row in tables["activation_by_patient"].iterrows():
            n = int(row["n_cells"] - row["n_missing"])
            if n:
                said.append(
                    f"{row['patient']}: {int(row['n_high']):,} of {n:,} cells ({row['share_high']:.1%}) "
                    "score above "
                    f"{recipe.activation.high:g}; median {row['median']:.2f} [IQR "
                    f"{row['q1']:.2f} to {row['q3']:.2f}]."
                )
    genes = tables.get("differential_expression")
    if recipe.comparison is not None and genes is not None and len(genes):
        first, last = genes.iloc[0], genes.iloc[-1]
        names = groups(recipe.comparison, recipe)
        said.append(
            f"Largest effects, {names[0]} (n = {int(first['n_group']):,} "
            f"cells{_within(recipe.comparison)}) against "
            f"{names[1]} (n = {int(first['n_reference']):,}): {first['gene']} higher (AUC "
            f"{first['auc']:.2f}), "
            f"{last['gene']} lower (AUC {last['auc']:.2f})."
        )
    return said


def _within(asked: Comparison) -> str:
    return f" of type {' or '.join(asked.types)}" if asked.types else ""


def doubts(computed: Computed) -> list[str]:
    """Say what to know before the numbers are trusted."""
    said = [f"{piece.record.name}: {line}" for piece in computed.pieces for line in piece.warnings]
    said += [f"{piece.record.name}: {piece.left_out}." for piece in computed.pieces if piece.left_out]
    said += [
        f"{record.name}: the unit of positions is not known, so there is no scale bar."
        for record in computed.recipe.shown
        if record.unit == "unknown"
    ]
    for piece in computed.pieces:
        n_missing = int(
            computed.cells.loc[computed.cells[keys.SECTION] == piece.record.name, keys.TOKEN].isna().sum()
        )
        if computed.recipe.model is not None and n_missing:
            said.append(
                f"{piece.record.name}: {many(n_missing, 'cell')} without a token, for lack of counts."
            )
    if computed.recipe.simulated:
        said.insert(
            0, f"The sections of this report are {computed.recipe.simulated}: they are no patients' tissue."
        )
    if computed.recipe.model is not None and computed.recipe.model.simulated:
        said.append("The model was trained on simulated sections only.")
    return said


def methods(computed: Computed) -> list[tuple[str, str]]:
    """Say how everything was computed: heading and text of each step."""
    recipe = computed.recipe
    said = [("Sections", _sections(recipe)), ("Cell types", _types(recipe))]
    if recipe.model is not None:
        said.append(("Tokens", _tokens(computed)))
    if recipe.activation is not None:
        said.append(("Activation score", _activation(computed)))
    if recipe.comparison is not None and "comparison" in recipe.parts:
        said.append(("Genes", _genes(recipe.comparison, computed)))
    return [(heading, text) for heading, text in said if text]


def _sections(recipe: Recipe) -> str:
    words = {"um": "µm", "unknown": "an unknown unit"}
    units = sorted({words.get(record.unit, record.unit) for record in recipe.shown})
    helping = [record.name for record in recipe.sections if not record.shown]
    said = (
        f"{many(len(recipe.shown), 'section')} of "
        f"{many(len({record.patient for record in recipe.shown}), 'patient')} "
        f"({', '.join(record.name for record in recipe.shown)}), raw counts, positions in "
        f"{' or '.join(units)}."
    )
    if helping:
        said += (
            f" Codes were ranked with the help of {many(len(helping), 'further section')} "
            f"({listed(helping, 12)})."
        )
    filtered = [record.name for record in recipe.shown if any(record.quality.values())]
    if filtered:
        said += f" Cells of low quality were left out of {', '.join(filtered)}, as said on the first page."
    return said


def _types(recipe: Recipe) -> str:
    by_words: dict[str, list[str]] = {}
    for record in recipe.shown:
        words = record.types.words or "none"
        by_words.setdefault(words, []).append(record.name)
    if set(by_words) == {"none"}:
        return "The sections name no cell types."
    return " ".join(f"{', '.join(names)}: {words}." for words, names in by_words.items())


def _tokens(computed: Computed) -> str:
    recipe, model = computed.recipe, computed.recipe.model
    if model is None:
        return ""
    return (
        f"The model {model.name} ({model.n_codes} codes, {model.n_genes:,} genes, sha256 "
        f"{model.sha256[:12]}) looked "
        "at each cell with its nearest neighbours and named the one of its codes, a token, that fits best. "
        "No cell "
        "type was given to it. A token's top genes are those "
        f"{recipe.n_token_genes} with the largest share of its counts relative to all cells' counts, over "
        "the "
        "sections shown."
    )


def _activation(computed: Computed) -> str:
    asked, how = computed.recipe.activation, computed.facts["activation"]
    if asked is None:
        return ""
    ranking = (
        f"most enriched in patient {asked.reference} against patient {asked.against}, by p log2(p / q) "
        "with p and q "
        "the shares of their cells, one cell added to each count of q"
        if asked.against
        else f"most frequent in patient {asked.reference}"
    )
    return (
        f"The score of a cell is the share of its closed neighbourhood (itself, its {asked.n_neighbors} "
        "nearest cells, "
        "and those of which it is one of the nearest) that carries one of "
        f"{len(how['codes'])} codes: those {ranking} (at most {asked.n_codes} asked). Low is below "
        f"{asked.low:g}, "
        f"high above {asked.high:g}; histograms have {asked.n_bins} bins over 0 to 1. Cells without a "
        "token have no "
        "score and count nowhere."
    )


def _genes(asked: Comparison, computed: Computed) -> str:
    names, facts = groups(asked, computed.recipe), computed.facts["comparison"]
    said = (
        f"Cells{_within(asked)} were compared: {names[0]} against {names[1]} (n = {facts[GROUP]:,} and "
        f"{facts[REFERENCE]:,})."
    )
    if "problem" in facts:
        return f"{said} They could not be: {facts['problem']}"
    said += (
        f" Counts were scaled to the median depth of these cells ({facts['median_depth']:g}); effects are "
        "the AUC and "
        f"the log2 ratio of mean counts with {asked.pseudo_count:g} added to both; the test is "
        f"{_TESTS[asked.test]} on "
        "log1p of scaled counts, corrected over all genes by Benjamini and Hochberg (q)."
    )
    if "pseudobulk" in facts:
        design = facts["pseudobulk"]["design"]
        said += (
            f" Across patients, counts were added up for each patient with at least {asked.min_cells} "
            "cells in a "
            f"group and compared with DESeq2 (design {design})."
        )
    return said


def limits(computed: Computed) -> list[str]:
    """Say what the report does not show."""
    recipe = computed.recipe
    n_patients = len({record.patient for record in recipe.shown})
    said = [
        "It describes tissue, and is no diagnosis, no prognosis and no advice on treatment.",
        f"It is of {many(n_patients, 'patient')}: what holds for these need not hold for others.",
    ]
    if recipe.activation is not None:
        said.append(
            "A high score says that a neighbourhood resembles codes of the reference patient "
            f"{recipe.activation.reference}, nothing more: the codes were picked on that patient, so its "
            "own high "
            "scores are no evidence."
        )
    facts = computed.facts.get("comparison", {})
    if "differential_expression" in computed.tables:
        said.append(
            "Cells of one section are not independent, so that p and q of cells are far too small for "
            "patients: read "
            "effects first."
        )
    if "pseudobulk_problem" in facts:
        said.append(f"No test across patients: {facts['pseudobulk_problem']}")
    if facts and min(facts["patients_group"], facts["patients_reference"]) >= 1:
        both = computed.tables["compared_cells"]
        per_patient = both.groupby("patient")[["n_group", "n_reference"]].sum()
        if not (per_patient > 0).all(axis=1).any():
            said.append(
                "No patient has cells in both groups: what differs may be the patients, not the tissue."
            )
    if recipe.model is not None:
        said.append(
            "Tokens come from a model that was trained without labels; another model, or another training "
            "of this one, "
            "gives other tokens."
        )
    if any(record.types.source == "labeling" for record in recipe.shown):
        said.append(
            "Cell types were given by a program or by hand, as said under Methods, and may be wrong for "
            "single cells."
        )
    return said


def stamp(recipe: Recipe) -> dict[str, str]:
    """Say by name what made the report, and of what."""
    said = {"Title": recipe.title, "Notice": NOTICE}
    if recipe.simulated:
        said["Simulated"] = ", ".join(record.name for record in recipe.shown if record.simulated)
    said["App version"] = f"squint {recipe.squint}"
    if recipe.model is not None:
        said["Model"] = f"{recipe.model.name}, sha256 {recipe.model.sha256}"
        said["Gene list"] = f"{recipe.model.n_genes} genes, sha256 {recipe.model.genes_sha256}"
    said["Sections"] = ", ".join(f"{record.name} sha256 {record.sha256}" for record in recipe.sections)
    said["Recipe"] = f"schema {recipe.schema}"
    said["Time"] = recipe.made
    return said


def listed(items: Sequence[str], most: int) -> str:
    """Name some things, and how many more there are."""
    more = len(items) - most
    return ", ".join(items[:most]) + (f" and {more} more" if more > 0 else "")
