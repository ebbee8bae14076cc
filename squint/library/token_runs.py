"""Which tokens of a section count: those by the model asked for, of its genes, of the data as they are.

Tokens by every model stay, and count where that model is asked for. *Stale* are those that count no more
whichever is: of other data, of other genes, or by a model that is gone. They are never read.
"""

import json
from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from squint.library.records import SectionRow, TokenRun

_SHOWN = 12  # digits of a hash


def new_run(
    section_id: str,
    data_sha256: str,
    model: str,
    genes_sha256: str,
    facts: Mapping[str, Any],
    problem: str = "",
) -> TokenRun:
    """Note that a section was tokenised, or why it cannot be.

    Parameters
    ----------
    section_id, data_sha256
        The section, and the hash of its data.
    model, genes_sha256
        Hashes of the model's weights and of its list of genes.
    facts
        What was noted.
    problem
        Why there are no tokens.
    """
    return TokenRun(
        section_id=section_id,
        model=model,
        genes_sha256=genes_sha256,
        data_sha256=data_sha256,
        problem=problem,
        damage="",
        facts=json.dumps(dict(facts)),
        added=datetime.now(UTC).isoformat(),
    )


def facts_of(run: TokenRun) -> dict[str, Any]:
    """Give what was noted, or the ``"problem"`` for which there are no tokens."""
    return {"problem": run.problem} if run.problem else dict(json.loads(run.facts))


def counting(session: Session, model: str) -> dict[str, TokenRun]:
    """Give the runs of a model that count, by section.

    Of runs by the same weights with different lists of genes, those of the last one count.
    """
    found = [(run, sha256) for run, sha256 in _runs(session, TokenRun.model == model) if run.intact]
    genes = _last_genes(run for run, _ in found)
    return {run.section_id: run for run, sha256 in found if not _why_not(run, sha256, genes)}


def stale(session: Session, model: str, genes_sha256: str, known: Collection[str]) -> dict[str, str]:
    """Say of each section of which no tokens count, but stale ones are there, what these are.

    Parameters
    ----------
    model, genes_sha256
        Hashes of the weights of the model asked for, and of its list of genes.
    known
        Hashes of the weights of all models there are: tokens by another of them wait for it to be asked for.
    """
    why: dict[str, str] = {}
    counts = set()
    for run, sha256 in _runs(session, sa.true()):
        if run.model != model:
            if run.intact and not run.problem and run.model not in known:
                gone = f"tokens by a model that is not here ({run.model[:_SHOWN]}): stale"
                why.setdefault(run.section_id, gone)
            continue
        problem = _why_not(run, sha256, genes_sha256) if run.intact else "tokens are damaged"
        if problem:
            why[run.section_id] = problem
        else:
            counts.add(run.section_id)
    return {section_id: words for section_id, words in why.items() if section_id not in counts}


def _runs(session: Session, which: sa.ColumnElement[bool]) -> list[tuple[TokenRun, str]]:
    asked = sa.select(TokenRun, SectionRow.sha256).join(SectionRow, SectionRow.id == TokenRun.section_id)
    return [(run, sha256) for run, sha256 in session.execute(asked.where(which).order_by(TokenRun.added))]


def _last_genes(runs: Iterable[TokenRun]) -> str:
    return next((run.genes_sha256 for run in reversed(list(runs)) if run.genes_sha256), "")


def _why_not(run: TokenRun, data_sha256: str, genes_sha256: str) -> str:
    """Say why a run does not count; nothing if it does. Runs of earlier squint do not name their genes."""
    if run.damage:
        return "tokens are damaged"
    if run.data_sha256 != data_sha256:
        return "tokens of other data: stale"
    if run.genes_sha256 and genes_sha256 and run.genes_sha256 != genes_sha256:
        return "tokens by a model of other genes: stale"
    return ""
