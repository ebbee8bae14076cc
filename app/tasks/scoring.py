"""Activation scores of sections. Runs in the worker for short work."""

from typing import Any

from app.requests import Activate
from app.tasks.gather import gather
from squint import keys, tl
from squint.library import results
from squint.library.results import Report
from squint.library.store import LIBRARY_ID, Library


def activate(library: Library, asked: Activate, report: Report) -> None:
    """Score sections against a reference patient and store the scores of each."""
    report(0.1, "finding neighbours")
    together = gather(library, asked.ids, counts=False, model=asked.model)
    obs: Any = together.obs
    of_section = obs[LIBRARY_ID].astype(str)
    tl.activate(
        together,
        reference=asked.reference,
        against=asked.against,
        n_codes=asked.n_codes,
        ranked=of_section.isin(asked.ranked).to_numpy(),
    )
    scores = {
        f"scores_{section_id}": obs.loc[(of_section == section_id).to_numpy(), [keys.ACTIVATION]].reset_index(
            drop=True
        )
        for section_id in asked.ids
    }
    results.keep(library, asked, together.uns[keys.PROVENANCE]["activation"], scores)
