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
    "token": "cells of token",
    "cell_type": "cells of type",
    "region": "cells of region",
    "patient": "cells of patient",
    "section": "cells of section",
    "cell_set": "cells of the set",
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
            "low": f"cells that score below {recipe.activation.low:g}",
            "high": f"cells that score above {recipe.activation.high:g}",
            "intermediate": "cells that score between both thresholds",
        }
    else:
        named = {label: _called(asked, label, recipe) for label in (*asked.group, *asked.reference)}
    second = " or ".join(named[label] for label in asked.reference) or "all other cells"
    return " or ".join(named[label] for label in asked.group), second


def _called(asked: Comparison, label: str, recipe: Recipe) -> str:
    if asked.by == "cell_set":  # a name may be a sentence
        return f"{_WHAT[asked.by]} \N{LEFT DOUBLE QUOTATION MARK}{label}\N{RIGHT DOUBLE QUOTATION MARK}"
    return f"{_WHAT[asked.by]} {token(recipe, label) if asked.by == 'token' else label}"


def token(recipe: Recipe, number: str) -> str:
    """Call a token by its number, and by the name that it was given."""
    name = recipe.token_names.get(number)
    return f"{number} · {name}" if name else number


def tokens(recipe: Recipe, numbers: Sequence[str]) -> str:
    """List tokens by their numbers, with the names that they were given."""
    return ", ".join(token(recipe, number) for number in numbers)


def key_findings(computed: Computed) -> list[str]:
    """Say the few numbers that the report is about, each with its n."""
    recipe, tables, said = computed.recipe, computed.tables, []
    how = computed.facts.get("activation")
    if recipe.activation is not None and how:
        against = f" against {how['against']}" if how["against"] else ""
        if not how["codes"]:
            said.append(f"No token is enriched in {how['reference']}{against}: there are no scores to read.")
        else:
            said.append(
                f"The {many(len(how['codes']), 'token')} {how['mode']} in {how['reference']}{against} "
                f"({tokens(recipe, how['codes'])}) cover {how['share_covered']:.1%} of that patient's "
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
            f"Genes that differ most between {names[0]} (n = {int(first['n_group']):,}) and {names[1]} "
            f"(n = {int(first['n_reference']):,}){_within(recipe.comparison)}: {first['gene']} is higher "
            f"(AUC {first['auc']:.2f}), {last['gene']} lower (AUC {last['auc']:.2f}; 0.50 is no difference)."
        )
    return said


def _within(asked: Comparison) -> str:
    return f", within {' or '.join(asked.types)}" if asked.types else ""


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
    said += [
        f"{name}: no type is named of {many(n_missing, 'cell')}; they count in no share of types."
        for name, n_missing in _without_type(computed)
    ]
    if simulated := [record.name for record in computed.recipe.shown if record.simulated]:
        every = len(simulated) == len(computed.recipe.shown)
        first = "The sections of this report are" if every else f"{', '.join(simulated)}:"
        said.insert(0, f"{first} simulated, and no patient's tissue.")
    if computed.recipe.model is not None and computed.recipe.model.simulated:
        said.append("The model was trained on simulated sections only.")
    asked = computed.recipe.activation
    if asked is not None and any(record.patient == asked.reference for record in computed.recipe.shown):
        said.append(
            f"{asked.reference} is the reference of the activation score: the tokens that count were picked "
            "on that patient, so that its own high scores are no finding."
        )
    return said


def _without_type(computed: Computed) -> list[tuple[str, int]]:
    """Count the cells without a type, in sections that name types, where there are any."""
    if "types" not in computed.recipe.parts:
        return []
    found = []
    for piece in computed.pieces:
        own = computed.cells.loc[computed.cells[keys.SECTION] == piece.record.name, keys.CELL_TYPE]
        if own.notna().any() and own.isna().any():
            found.append((piece.record.name, int(own.isna().sum())))
    return found


def explained(computed: Computed) -> list[tuple[str, str]]:
    """Say in plain words what the report's own words mean: each with its meaning, those it uses alone."""
    recipe, tables = computed.recipe, computed.tables
    said = []
    if recipe.model is not None:
        said.append(
            (
                "Token",
                "The number of a tissue pattern, given to a cell for its own genes and those of its nearest "
                "cells. Cells with the same token live in similar surroundings. Numbers have no order.",
            )
        )
        said.append(
            (
                "Cells new to the model",
                "Cells that fit their token worse than 99 % of the cells that the model was trained on: 1 % "
                "is to be expected, and much more says that the model hardly knows such tissue.",
            )
        )
    if recipe.activation is not None:
        said.append(
            (
                "Activation score",
                "The share of a cell and of the cells around it whose token is one of those picked on the "
                "reference patient, from 0 (none) to 1 (all). It says what tissue resembles, nothing more.",
            )
        )
        said.append(
            ("Median [IQR]", "The value in the middle, and between which values the middle half of cells is.")
        )
    if "differential_expression" in tables:
        said += [
            (
                "AUC",
                "Of two cells drawn by chance, one from each group: how often the group's cell has more of "
                "the gene (ties count half). 0.5 is no difference, 1 always more, 0 always less.",
            ),
            (
                "log2 fold change",
                "How many times more counts the group's cells have on average: +1 is twice as many, "
                "\N{MINUS SIGN}1 half as many.",
            ),
            (
                "q",
                "p corrected for testing many genes (Benjamini and Hochberg). Cells of one section are not "
                "independent, so that it is far too small for patients.",
            ),
        ]
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
            f" Tokens were ranked with the help of {many(len(helping), 'further section')} "
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
        f"The model {model.name} ({model.n_codes} tokens, {model.n_genes:,} genes, sha256 "
        f"{model.sha256[:12]}) looked "
        "at each cell with its nearest neighbours and named the one of its tokens, that is "
        "tissue patterns, that fits best. "
        "No cell "
        "type was given to it. A token's top genes are those "
        f"{recipe.n_token_genes} with the largest share of its counts relative to all cells' counts, over "
        "the "
        "sections shown." + (f" It was trained on: {_sentence(model.trained_on)}" if model.trained_on else "")
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
        f"{many(len(how['codes']), 'token')}: those {ranking} (at most {asked.n_codes} asked). Low is below "
        f"{asked.low:g}, "
        f"high above {asked.high:g}; histograms have {asked.n_bins} bins over 0 to 1. Cells without a "
        "token have no "
        "score and count nowhere."
    )


def _genes(asked: Comparison, computed: Computed) -> str:
    names, facts = groups(asked, computed.recipe), computed.facts["comparison"]
    said = (
        f"Compared were {names[0]} with {names[1]}{_within(asked)} (n = {facts[GROUP]:,} and "
        f"{facts[REFERENCE]:,})."
    )
    if "problem" in facts:
        return f"{said} They could not be: {facts['problem']}"
    said += (
        f" {many(facts['n_genes'], 'gene')} that all these sections measure were compared. Counts were "
        f"scaled to the median depth of these cells ({facts['median_depth']:g}); effects are "
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
            "A high score says that a neighbourhood resembles tokens of the reference patient "
            f"{recipe.activation.reference}, nothing more: they were picked on that patient, so its own high "
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
        said += [f"The model {recipe.model.name}: {_sentence(limit)}" for limit in recipe.model.limits]
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
    if recipe.token_names:
        said["Token names"] = ", ".join(titled for titled in _titled(recipe))
    said["Sections"] = ", ".join(f"{record.name} sha256 {record.sha256}" for record in recipe.sections)
    said["Recipe"] = f"schema {recipe.schema}"
    said["Time"] = recipe.made
    return said


def listed(items: Sequence[str], most: int) -> str:
    """Name some things, and how many more there are."""
    more = len(items) - most
    return ", ".join(items[:most]) + (f" and {more} more" if more > 0 else "")


def _titled(recipe: Recipe) -> list[str]:
    return [token(recipe, number) for number in sorted(recipe.token_names, key=int)]


def _sentence(text: str) -> str:
    """End a text as a sentence."""
    return text if text.endswith((".", "!", "?")) else f"{text}."
