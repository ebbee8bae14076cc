"""What is compared: the sections of which patients, and what chooses the codes of the scores."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import streamlit as st

from app import session
from app.components import risk
from app.exports.stamp import many
from app.models import ModelFacts
from squint.library.stacks import name_sections, outside_stacks
from squint.library.store import Library, Section

SECTIONS, PLACING, GROUPS = "Sections", "A new patient among the references", "Groups of patients"
_MOST = 40  # sections: a table of more cannot be read


class Subject(NamedTuple):
    """Sections that are compared, and how their cells are scored."""

    sections: tuple[Section, ...]
    choice: risk.Choice
    model: ModelFacts

    @property
    def ids(self) -> tuple[str, ...]:
        """Of the sections."""
        return tuple(section.id for section in self.sections)

    @property
    def names(self) -> dict[str, str]:
        """Id -> title; simulated ones are said to be."""
        names = name_sections(self.sections)
        simulated = {section.id for section in self.sections if section.simulated}
        return {one: f"{name} (simulated)" if one in simulated else name for one, name in names.items()}

    @property
    def patients(self) -> dict[str, str]:
        """Id of a section -> its patient."""
        return {section.id: section.patient for section in self.sections}

    @property
    def roles(self) -> dict[str, str]:
        """Patient -> ``"reference"`` or ``"against"``, of those who chose the codes."""
        asked = self.choice.request
        return {asked.reference: "reference"} | ({asked.against: "against"} if asked.against else {})

    @property
    def marked(self) -> dict[str, str]:
        """Id of a section -> the role of its patient."""
        return {one: self.roles[who] for one, who in self.patients.items() if who in self.roles}

    def of(self, patient: str) -> list[Section]:
        """List the sections of a patient."""
        return [section for section in self.sections if section.patient == patient]


def choose_what() -> str:
    """Let the user choose what is compared."""
    chosen = st.segmented_control(
        "Compare",
        [SECTIONS, PLACING, GROUPS],
        default=SECTIONS if session.COMPARED not in st.session_state else None,
        required=True,
        key=session.COMPARED,
        persist_state="session",
        label_visibility="collapsed",
    )
    return str(chosen)


def choose(library: Library, every: Sequence[Section], model: ModelFacts) -> Subject:
    """Let the user choose patients, the reference, and thresholds.

    A stack is many levels of one place: its levels are compared only where there is nothing else.
    """
    plain = outside_stacks(every)
    patients = sorted({section.patient for section in plain})
    real = [who for who in patients if any(one.patient == who and not one.simulated for one in plain)]
    first = real if len(real) > 1 else patients
    session.keep_valid(session.COMPARED_PATIENTS, patients, first)
    chosen = st.multiselect(
        "Patients compared",
        patients,
        default=first if session.COMPARED_PATIENTS not in st.session_state else None,
        key=session.COMPARED_PATIENTS,
        persist_state="session",
    )
    sections = [section for section in plain if section.patient in chosen]
    if not sections:
        st.info("Choose at least one patient.")
        st.stop()
    if len(sections) > _MOST:
        st.info(
            f"{many(len(sections), 'section')} are too many for one table: the first {_MOST} are compared. "
            "Choose fewer patients to see the others."
        )
        sections = sections[:_MOST]
    if len(plain) < len(every):
        st.caption(f"{many(len(every) - len(plain), 'level')} of stacks are not compared.")
    choice = risk.choose(library, every, model.sha256)
    return Subject(tuple(sections), choice, model)


def simulated_ids(sections: Sequence[Section]) -> set[str]:
    """Give the ids of simulated sections."""
    return {section.id for section in sections if section.simulated}


def roles_in_words(roles: Mapping[str, str]) -> str:
    """Say who chose the codes, for the stamp."""
    return ", ".join(f"{who} ({role})" for who, role in roles.items())
