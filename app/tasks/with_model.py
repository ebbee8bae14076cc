"""What the workers that hold the model can do: long work."""

import logging
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch

from app import requests
from app.engine.facts import WorkerFacts
from app.tasks import (
    areas,
    cell_types,
    codebook,
    comparison,
    models,
    perturbation,
    report,
    stacks,
    tokens,
    training,
    virtual_section,
)
from app.tasks.decode import does
from squint.chrome import find_chrome
from squint.device import pick_device
from squint.errors import InputError

logger = logging.getLogger(__name__)


def start(model: Path | None) -> dict[str, Any]:
    """Load the server's model once; return :class:`app.engine.facts.WorkerFacts`, as JSON.

    Whatever is wrong with the model, the worker starts: all that needs none works. ``None`` stands for a
    model that ended a worker which loaded it.
    """
    device = pick_device("auto")
    models.use(model, device)
    facts = WorkerFacts(
        device=f"GPU {torch.cuda.get_device_name(device)}" if device.type == "cuda" else "CPU",
        problem="",
        chrome=find_chrome() is not None,
    )
    if model is None:
        return asdict(
            replace(facts, problem="The model ended the process that loaded it. See the server's log.")
        )
    try:
        models.hold(model)
    except InputError as error:
        return asdict(replace(facts, problem=str(error)))
    except Exception:  # a defect of ours, or no memory; not a reason to do without a worker
        logger.exception("The model could not be loaded")
        return asdict(replace(facts, problem="The model could not be loaded. See the server's log."))
    return asdict(facts)


TASKS = dict(
    (
        does(requests.Tokenise, tokens.tokenise),
        does(requests.SumTokens, tokens.add_up),
        does(requests.ExpressTokens, codebook.express),
        does(requests.Differential, comparison.differential),
        does(requests.Pseudobulk, comparison.pseudobulk),
        does(requests.MakeReport, report.make),
        does(requests.Perturb, perturbation.perturb),
        does(requests.NameCells, cell_types.name_cells),
        does(requests.SplitType, cell_types.split_type),
        does(requests.EstimateTraining, training.estimate_here),
        does(requests.TrainModel, training.train),
        does(requests.LearnToInpaint, training.teach),
        does(requests.TrainOnStack, stacks.train),
        does(requests.InpaintStack, stacks.inpaint),
        does(requests.Align, stacks.align),
        does(requests.JudgeLevels, virtual_section.judge),
        does(requests.VirtualSection, virtual_section.predict),
        does(requests.WriteVirtualSection, virtual_section.write),
        does(requests.InpaintArea, areas.inpaint),
        does(requests.TrainWithoutArea, areas.train),
    )
)
