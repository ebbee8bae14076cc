"""The table of in-painting: seeds put together, the best marked."""

import numpy as np
import pytest

from squint.benchmarks.score_table import summarise, to_markdown

FACTS = [
    {"section": "one", "n_hidden": 1200, "n_cells": 5000, "n_genes": 10, "n_measured": 10},
    {"section": "two", "n_hidden": 7, "n_cells": 50, "n_genes": 10, "n_measured": 12},
]


def row(section, method, scores, kind="baseline", seed=None, **more):
    names = ("pc", "pg", "mmd", "mmd3", "energy")
    return {"section": section, "method": method, "kind": kind, "n": 1200, "seed": seed} | dict(
        zip(names, scores, strict=True), **more
    )


@pytest.fixture
def rows():
    return [
        row("one", "squint", (0.9, 0.9, 0, 0, 0), "model", seed=0, train_s=10.0, inpaint_s=1.0),
        row("one", "squint", (0.7, 0.7, 0, 0, 0), "model", seed=1, train_s=30.0, inpaint_s=3.0),
        row("one", "draw", (0.2, 0.1, 0.01, 0.02, 0.3), seed=0),
        row("one", "draw", (0.4, 0.1, 0.03, 0.02, 0.5), seed=1),
        row("one", "mean", (0.5, 0.0, 0.02, 0.04, 0.3)),
        row("one", "cell_type_mean", (0.6, 0.5, 0.001, 0.001, 0.001)),
        row("one", "truth_halves", (0.6, 0.5, 0.001, 0.001, 0.001)),
        row("two", "mean", (0.5, np.nan, 0.02, 0.04, 0.3)),
    ]


def test_seeds_become_mean_and_spread(rows):
    table = summarise(rows).set_index(["section", "method"])
    assert table.loc[("one", "squint"), "PC"] == pytest.approx(0.8)
    assert table.loc[("one", "squint"), "PC_sd"] == pytest.approx(0.2 / np.sqrt(2))
    assert table.loc[("one", "squint"), ["seeds", "train_s", "inpaint_s"]].tolist() == [2, 20, 2]
    assert table.loc[("one", "mean"), "seeds"] == 0
    assert np.isnan(table.loc[("one", "mean"), "PC_sd"])
    assert list(table.index[:3]) == [("one", "squint"), ("one", "draw"), ("one", "mean")]


def test_the_best_baseline_is_neither_model_nor_truth_nor_told_a_label(rows):
    best = summarise(rows).set_index(["section", "method"])["best_in"]
    assert best["one", "draw"] == "PG MMD MMD3"
    assert best["one", "mean"] == "PC E"
    assert best["two", "mean"] == "PC MMD MMD3 E"
    assert (best.drop([("one", "draw"), ("one", "mean"), ("two", "mean")]) == "").all()


def test_the_text_says_what_was_hidden_and_marks_the_best(rows):
    text = to_markdown(summarise(rows), FACTS, [0, 1])
    first, second = text.split("Strict protocol, ")[1:]
    assert first.startswith("section one: 1,200 of 5,000 cells hidden at once")
    assert "; 10 genes; seeds 0, 1." in first
    assert "; 10 genes of the model, of 12 measured; seeds 0, 1." in second
    assert "| mean | 1,200 | **0.500** | 0.000 | 0.0200 | 0.0400 | **0.3000** |" in first
    assert "| squint | 1,200 | 0.800 ± 0.141 |" in first
    assert "`squint`: trained in 20 s, in-painted in 2.0 s." in first
    assert "`cell_type_mean`: uses the label of the hidden cell." in first
    assert "squint" not in second
