"""What a page asks reaches the task as it was asked, by way of JSON."""

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from app import requests
from app.cell_sets.split import Split
from app.engine.lanes import lane_of
from app.requests.perturbation import Some
from app.tasks import exports, with_files, with_model
from app.tasks.decode import does
from squint.engine.lanes import TASKS
from squint.geometry.regions import Cells, Fraction, Points, Polygon, Rectangle
from squint.io.content import Answers
from squint.library.images import Addition
from squint.library.results import Task
from squint.library.store import Library
from squint.pp import QualityFilter
from squint.report.recipe import Activation, GeneSet
from tests.helpers.paths import ROOT

SHAPES = (
    Rectangle("S", 0, 1, 2, 3),
    Polygon("S", ((0, 0), (1, 0), (0, 1))),
    Cells("S", ("a",)),
    Fraction("S", 0.5),
    Points("S", ((1, 2),)),
)
ASKED: list[Task] = [
    requests.Validate("file.h5ad", Answers(unit="0.5", columns={"section_id": "slide"}), models=("ff", "ab")),
    requests.Keep(
        "file.h5ad", Answers(), {"": "P1"}, {"S": "T"}, "kidney", quality=QualityFilter(5, in_tissue=True)
    ),
    requests.TakeBack("0123"),
    requests.Rebuild("0123"),
    requests.AddFound("0123", "folder", (requests.FoundPicture("a.tif", "DAPI", ((1, 0, 2), (0, 1, 3))),)),
    requests.ImportSamples("folder"),
    requests.Tokenise(("a", "b"), "abc"),
    requests.SumTokens(("a",), "ff"),
    requests.NameCells("a", "markers", "mine", tissue="kidney", sets=("x", "y"), min_confidence=0.7),
    requests.ReadLabelColumns("types.csv"),
    requests.NameByFile("a", "mine", "types.csv", "", "label"),
    requests.SplitType("a", "ff", 3, "T cell", 0.5),
    requests.DescribeTypes(("a",), "ff"),
    requests.EstimateTraining(("a", "b"), 50),
    requests.TrainModel(("a", "b"), 50, "mine"),
    requests.LearnToInpaint("ff", ("a",), "mine, in-paints"),
    requests.AddModel("model.zip"),
    requests.PackModel("folder"),
    requests.Activate(("b", "a"), ("b",), "ff", "P1", None, 5),
    requests.BringIn("a", "upload", "a.csv", 0.2125, skip_unknown=True),
    requests.TakeArea("a", ((0, 0), (1, 0.5), (0, 1)), "add", "ff"),
    requests.WriteSet("ff", "a", "geojson", 0.5, {"Title": "T"}),
    requests.Differential(("a",), None, Split("cell_type", ("x",), members=(("a", "1", "2"),)), "t-test"),
    requests.Pseudobulk(("a",), "ff", Split("level", ("high",), ("low",), run="r", low=0.1)),
    requests.Perturb(
        ("a",),
        "ff",
        Some("01", ("T cell",)),
        "scale",
        Some(),
        (("GZMB", 4.0),),
        ("macrophage",),
        ("IDO1",),
        hold_programme=False,
        labeling="02",
        n_shams=9,
        seed=1,
    ),
    requests.ReadProfile("upload", "a.csv"),
    requests.AddGeneSets("upload", "a.gmt"),
    requests.ReadGeneSets(),
    requests.TrainOnStack(("a",), 0.1, 3, "stack"),
    requests.InpaintStack(("a",), "folder", "ff"),
    requests.Align(("a",)),
    requests.JudgeLevels(("a", "b"), "ff", aligned=False),
    requests.VirtualSection(("a", "b"), "ff", aligned=True, z=12.5, like="a", step=0.0),
    requests.WriteVirtualSection(
        requests.VirtualSection(("a", "b"), "", aligned=False, z=12.5, like="", step=20.0), {"Title": "T"}
    ),
    requests.InpaintArea(("a",), "folder", "ff", SHAPES, fill=True, n_draws=3, seed=1),
    requests.TrainWithoutArea("a", SHAPES, "without"),
    requests.ReadRegions("R.json", "S"),
    requests.CountInside("a", SHAPES),
    requests.ScoreGeneSet(("b", "a"), ("LDHA", "CA9")),
    requests.BorderProfile(
        ("a",),
        "ff",
        Split("level", ("high",), run="r"),
        (("a", "12"),),
        ("CA9",),
        (("set", ("LDHA", "CA9")),),
        ("1",),
        ("x",),
        (("a", "34"),),
        20.0,
        200.0,
        10,
        20,
    ),
    requests.CoOccurrence(("a",), "ff", "section_id", 5, clr=True, n_permutations=9),
    requests.Neighbours(("a",), "ff", 5, 9),
    requests.WriteSequences(("a",), "ff", "parquet"),
    requests.CompareSections(("b", "a"), "ff", "types", 99, named=(("a", "ee"),)),
    requests.CountScores(("b", "a"), "activate-0"),
    requests.AddPatients("upload", "p.csv", replace=True, sure=False),
    requests.ExpressTokens(("a", "b"), "ff"),
    requests.CompareVocabularies(("a",), "ff", "ab", 50, 1_000, 0),
    requests.MakeReport(
        ("b", "a"),
        "ff",
        "Title",
        ("activation", "cells"),
        Activation("P", "Q", 5, 0.25, 0.75),
        None,
        (GeneSet("Hypoxia", ("CA9", "LDHA")),),
        ("12",),
    ),
    requests.CheckLog("now"),
    requests.WriteLog("4", "seen", "a", "2026-01-01", "", 100),
    requests.MakeTiles("a"),
    requests.ReadTranscripts("a", ("CA9", "LDHA")),
    requests.LookAtImage(Addition("a", "he.tif")),
    requests.AddImage(Addition("a", "he.tif", channel=2)),
    requests.Draw("folder", "pdf", {"Title": "T"}, 300),
    requests.DrawMap("folder", "png", {"Title": "T"}, 600),
    requests.DrawStage("folder"),
    requests.WriteCsv("folder", {"Title": "T"}),
]


@pytest.mark.parametrize("asked", ASKED, ids=lambda asked: asked.name)
def test_what_is_asked_arrives(asked: Task, tmp_path: Path) -> None:
    name, task = does(type(asked), lambda library, arrived, _: (library.home, arrived))
    args = json.loads(json.dumps({"home": str(tmp_path), "asked": asked.args}))
    assert name == asked.name
    assert task(args, lambda *_: None) == (tmp_path, asked)
    assert Library(tmp_path).results.exists()


def test_every_task_of_the_workers_is_asked_by_a_class_of_its_own() -> None:
    names = sorted(asked.name for asked in ASKED)
    assert names == sorted([*with_model.TASKS, *with_files.TASKS, *exports.TASKS])
    for name in names:
        assert name in importlib.import_module(TASKS[lane_of(name)]).TASKS
    assert len({type(asked) for asked in ASKED}) == len(ASKED)


@pytest.mark.parametrize("lane", ["files", "short"])
def test_lanes_without_the_model_start_without_torch(lane: str, tmp_path: Path) -> None:
    slow = {"torch", "sklearn", "scanpy", "numba", "matplotlib"}
    code = f"import sys, {TASKS[lane]} as tasks; tasks.start(None); print({slow} & set(sys.modules))"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment, cwd=tmp_path)
    assert done.stdout.strip() == "set()"
