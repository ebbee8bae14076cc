"""Everything a user's session remembers, each key named and typed once."""

import math
import secrets
import time
from collections.abc import Mapping, MutableMapping, Sequence
from pathlib import Path
from typing import Any

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from app import who
from app.engine.client import Job
from app.engine.facts import worker_facts
from app.maps.served import Served
from app.models import ModelFacts, facts_of, known_models
from app.settings import settings
from app.text import sentence
from app.unkept import ImageUpload, Landmarks, Upload
from app.web.buffers import SIGNER
from app.web.visitor import bearer
from squint.errors import InputError
from squint.geometry.regions import Shape
from squint.library.models import KnownModel
from squint.library.people import ANALYST, Person
from squint.library.preferred_model import prefer, preferred
from squint.library.recovery import recover
from squint.library.stacks import outside_stacks
from squint.library.store import Library, Section
from squint.pl import DARK, LIGHT, MAX_HIGHLIGHTED, Style

# Keys of widgets whose value outlives a change of page
SHOWN, HIGHLIGHTED, COLOUR, GENE = "shown", "highlighted", "colour", "gene"
TRANSCRIPTS = "transcripts"
DOUBTFUL = "doubtful"  # whether sections are looked at that the model knows little of
MODEL = "model"  # folder of the one that was chosen
_MODELS_READ = "_models_read"
_ASKED_MODEL = "_asked_model"  # folder of the one that is to be chosen next
_WITHOUT_SAMPLES, _ADDS = "_without_samples", "_adds"
PLAIN_COLOUR = "plain_colour"
COMPARE_BY, GROUP, REFERENCE_GROUP = "compare_by", "group", "reference_group"
STACK, STACK_COLOUR, STACK_GENE = "stack_name", "stack_colour", "stack_gene"
LEVEL, ALIGNED, TARGET = "level", "aligned", "target"
BETWEEN_Z, BETWEEN_GENE, BETWEEN_COLOUR = "between_z", "between_gene", "between_colour"
BETWEEN_POSITIONS, BETWEEN_STEP, BETWEEN_ASKED = "between_positions", "between_step", "between_asked"
FILL_HOW = "fill_how"
MARKED, MARKED_SECTION, MARKED_MODEL, FILL = "marked", "marked_section", "marked_model", "fill"
N_DRAWS, ASKED, TRAINED, WHOLE, RELATIVE, MARK_COLOUR = (
    "n_draws",
    "asked",
    "trained",
    "whole",
    "relative",
    "mark_colour",
)
OVER, N_TOKENS, LOG_RATIOS = "over", "n_tokens", "log_ratios"
N_COMMUNITIES, COMMUNITY = "n_communities", "community"
CELL_SET, SETS, GROUP_SET, REFERENCE_SET = "cell_set", "sets", "group_set", "reference_set"
WITHIN, TEST, GENE_SET = "within", "test", "gene_set"
BORDER_OF, INSIDE, AROUND = "border_of", "inside", "around"  # whose border; what is averaged around it
SMOOTHED = "smoothed"  # whether scores of a gene set are those of neighbourhoods
REFERENCE, AGAINST, MODE, N_CODES, THRESHOLDS = "reference", "against", "mode", "n_codes", "thresholds"
COMPARED, COMPARED_PATIENTS, COMPARED_BY = "compared", "compared_patients", "compared_by"
NEW_PATIENT, AMONG = "new_patient", "among"
FACT, FACT_GROUP, FACT_REFERENCE, MEASURE = "fact", "fact_group", "fact_reference", "measure"
CODEBOOK, TOKEN_SHOWN, OTHER_MODEL = "look_at", "token_shown", "other_model"
PERTURBED, REPLACED_BY, RESPONDERS, PROGRAMME = "perturbed", "replaced_by", "responders", "programme"
IMAGE, DARK_GROUND = "image", "dark_ground"
REPORT_TITLE, REPORT_PARTS = "report_title", "report_parts"
AUDIT_WHO, AUDIT_WHAT, AUDIT_SECTION = "audit_who", "audit_what", "audit_section"
AUDIT_SINCE, AUDIT_UNTIL = "audit_since", "audit_until"
TYPED = "typed"  # id of the section whose cells are named
_BEHIND_S = 10  # that a busy browser may be behind what a page has set
MAX_SHOWN = 6
MAX_SETS_SHOWN = MAX_HIGHLIGHTED - 1  # one colour is for cells in several


@st.cache_resource
def _library(home: Path) -> Library:
    library = Library(home)
    recover(library)
    return library


def library() -> Library:
    """Return the library of the project that is open, or say why there is none and stop the page."""
    try:
        home = who.home()
        if home is None:
            st.info("You are in no project yet. Ask an admin, or the owner of a project, to let you in.")
            st.stop()
        return who.given(_library(home))
    except InputError as error:
        st.error(sentence(str(error)))
        st.stop()


def person() -> Person:
    """Return who uses this session."""
    return who.person()


def may_change() -> bool:
    """Say whether who uses this session may add, change and delete, rather than look and export."""
    return person().may(ANALYST)


def library_problem() -> str:
    """Say why there is no library; nothing if there is one."""
    try:
        home = who.home()
        if home is None:
            return "no project"
        _library(home)
    except InputError as error:
        return str(error)
    return ""


def models() -> list[KnownModel]:
    """List all models, damaged ones too, as they are in this run of a page or of a part of it.

    They are read once a run: what changed since shows in the next one.
    """
    return list(who.once_a_run(_MODELS_READ, lambda: known_models(library())))


def choose_model() -> None:
    """Let the user choose the model that all pages show; begin with the one that was chosen last here."""
    here = library()
    known = {str(one.folder): one for one in models()}
    if (asked := st.session_state.pop(_ASKED_MODEL, None)) in known:
        st.session_state[MODEL] = asked
        if may_change():
            prefer(here, known[asked].sha256)
    if st.session_state.get(MODEL) not in known:
        last = preferred(here)
        first = next((folder for folder, one in known.items() if last and one.sha256 == last), None)
        st.session_state[MODEL] = first or next(iter(known))
    st.selectbox(
        "Model",
        list(known),
        format_func=lambda folder: _title_of(known[folder], list(known.values())),
        key=MODEL,
        persist_state="session",
        label_visibility="collapsed",
        help="Tokens, scores and all that is made of them are by this model, on every page.",
        on_change=_prefer_chosen,
        width=280,
    )


def use_model(folder: str) -> None:
    """Choose a model for all pages, from the next run of the page on: its widget is drawn first."""
    st.session_state[_ASKED_MODEL] = folder


def _title_of(model: KnownModel, known: Sequence[KnownModel]) -> str:
    """Name a model so that it is told from others."""
    several = sum(one.name == model.name for one in known) > 1
    return f"{model.name} ({model.sha256[:6]})" if several else model.name


def _prefer_chosen() -> None:
    if not who.is_as_it_was():
        return
    chosen = next((one for one in models() if str(one.folder) == st.session_state[MODEL]), None)
    if chosen is not None and may_change():  # else somebody has deleted it
        prefer(library(), chosen.sha256)


def sound_models() -> dict[str, KnownModel]:
    """Give all models that can be used, by the hash of their weights; of two copies, the one chosen."""
    sound: dict[str, KnownModel] = {}
    for one in models():
        if not _problem_of(one):
            sound.setdefault(one.sha256, one)
    if find_model() is not None:
        sound[_chosen().sha256] = _chosen()
    return sound


def damaged_models() -> dict[str, str]:
    """Say of each model that cannot be used, by its name, why."""
    return {one.name: problem for one in models() if (problem := _problem_of(one))}


def model_name() -> str:
    """Name the model that was chosen, as the foot of the page does."""
    return _title_of(_chosen(), models())


def model() -> ModelFacts:
    """Return the facts of the model that was chosen, or say why it cannot be used and stop the page."""
    found = find_model()
    if found is None:
        st.error(sentence(why_no_model()))
        st.stop()
    return found


def find_model() -> ModelFacts | None:
    """Return the facts of the model that was chosen, if it can be used."""
    return None if why_no_model() else facts_of(_chosen())


def why_no_model() -> str:
    """Say why the model that was chosen cannot be used; nothing if it can, as far as is known."""
    return _problem_of(_chosen())


def _problem_of(one: KnownModel) -> str:
    worker = worker_facts()
    if worker is not None and one.folder == settings().model:
        return one.problem or worker.problem
    return one.problem


def _chosen() -> KnownModel:
    found = next((one for one in models() if str(one.folder) == st.session_state[MODEL]), None)
    if found is None:  # somebody deleted it, and a part of the page runs alone: all of it chooses another
        st.rerun()
    return found


def upload() -> Upload:
    """Return the upload in progress."""
    state: Upload = st.session_state.setdefault("_upload", Upload())
    return state


def image_upload(section_id: str) -> ImageUpload:
    """Return the picture that is being added to a section."""
    state: ImageUpload = st.session_state.setdefault(f"_{IMAGE}-{section_id}", ImageUpload())
    return state


def upload_ids() -> MutableMapping[str, str]:
    """Return the id under which each place of a page may send large files."""
    state: dict[str, str] = st.session_state.setdefault("_upload_ids", {})
    return state


def landmarks(section_id: str, image_id: str) -> Landmarks:
    """Return the landmarks of a picture."""
    state: Landmarks = st.session_state.setdefault(f"_landmarks-{section_id}-{image_id}", Landmarks())
    return state


def begins_to_add(sections: Sequence[Section]) -> bool:
    """Say whether the place for uploads is open at first: where this session found no section.

    It stays so while others come, such as the samples: whoever is about to add one goes on there.
    """
    if not sections:
        st.session_state[_ADDS] = True
    return bool(st.session_state.get(_ADDS))


def has_added() -> None:
    """Note that something was added: the place for uploads is closed again."""
    st.session_state[_ADDS] = False


def want_samples(*, wanted: bool) -> None:
    """Note whether this session wants the samples that a new library begins with."""
    st.session_state[_WITHOUT_SAMPLES] = not wanted


def wants_samples() -> bool:
    """Say whether this session asked for the samples, rather than finding them in a new library."""
    return st.session_state.get(_WITHOUT_SAMPLES) is False


def without_samples() -> bool:
    """Say whether this session does without the samples."""
    return bool(st.session_state.get(_WITHOUT_SAMPLES))


def asker() -> str:
    """Name who asks for jobs: a person, or a browser, whose name outlives a closed tab, or this session."""
    if someone := person().id:
        return f"person-{someone}"
    context = get_script_run_ctx()
    return browser() or (context.session_id if context else "nobody")


def browser() -> str:
    """Name who may use what is made for this session: its browser; nothing where it has no name."""
    return bearer(st.context)


def signed(path: str) -> str:
    """Return the address of a path of this server, which is good in this session's browser alone."""
    return SIGNER.sign(path, browser())


def jobs() -> MutableMapping[str, Job]:
    """Return the jobs this session has asked for and not yet seen the end of."""
    state: dict[str, Job] = st.session_state.setdefault("_jobs", {})
    return state


def map_id(place: str) -> str:
    """Return the id of the map at a place of a page."""
    known: str = st.session_state.setdefault(f"_map-{place}", secrets.token_hex(16))
    return known


def hold_map(place: str, served: Served) -> None:
    """Hold what the browser has of a map, as long as this session lasts or until another is shown there."""
    st.session_state[f"_served-{place}"] = served


def put_map_state(place: str, state: Mapping[str, Any]) -> None:
    """Put what a reader had set on the map at a place of a page, for when that is shown first."""
    st.session_state[f"_map_state-{place}"] = dict(state)


def take_map_state(place: str) -> dict[str, Any] | None:
    """Take what was put for the map at a place of a page; ``None`` where nothing was, or it was taken."""
    taken: dict[str, Any] | None = st.session_state.pop(f"_map_state-{place}", None)
    return taken


def style() -> Style:
    """Return the colours that suit the user's theme."""
    return DARK if st.context.theme.type == "dark" else LIGHT


def map_style() -> Style:
    """Return the colours of maps: on a dark ground on dark pages, unless the user chose otherwise."""
    page = style()
    return page.on_dark() if st.session_state.get(DARK_GROUND, page is DARK) else page


def choose_ground(*, dark: bool) -> None:
    """Choose the ground behind the tissue of every map."""
    st.session_state[DARK_GROUND] = dark


def keep_valid(key: str, allowed: Sequence[Any], first: Any = None) -> None:
    """Drop from a remembered choice what can no longer be chosen; begin with ``first`` if nothing is left.

    Set, not deleted: a widget that is not told of the change goes on showing what was chosen before.
    """
    value = st.session_state.get(key)
    if isinstance(value, list):
        kept = [item for item in value if item in allowed]
        st.session_state[key] = kept if kept or not value else list(first or [])
    elif value is not None and value not in allowed:
        st.session_state[key] = allowed[0] if first is None else first


def follow(key: str, value: Any) -> None:
    """Set what the user has not chosen, as long as :func:`has_chosen` says so."""
    st.session_state[key] = value
    st.session_state.setdefault(f"_followed-{key}", {})[repr(value)] = time.monotonic()


def note_chosen(key: str) -> None:
    """Note that the user chose something, rather than the page.

    What the page had set a moment ago is no choice: a browser that is behind sends it once more.
    """
    followed = st.session_state.get(f"_followed-{key}", {}).get(repr(st.session_state.get(key)))
    if followed is None or time.monotonic() - followed > _BEHIND_S:
        choose(key)


def choose(key: str) -> None:
    """Note that something was chosen for the user, which stays."""
    st.session_state[f"_chosen-{key}"] = True


def has_chosen(key: str) -> bool:
    """Say whether the user chose something, rather than the page."""
    return f"_chosen-{key}" in st.session_state


def show(section_ids: Sequence[str]) -> None:
    """Put sections first among those looked at; to be called before they are chosen on the page."""
    others = [shown for shown in st.session_state.get(SHOWN, []) if shown not in section_ids]
    st.session_state[SHOWN] = [*section_ids, *others][:MAX_SHOWN]
    choose(SHOWN)


def choose_set(set_id: str) -> None:
    """Choose a cell set that was made or changed, and show it where cells are coloured by sets."""
    st.session_state[CELL_SET] = set_id
    shown = st.session_state.get(SETS)
    if shown is not None and set_id not in shown:
        st.session_state[SETS] = [*shown, set_id][-MAX_SETS_SHOWN:]


def marked(section_id: str) -> list[Shape]:
    """Return the areas marked in a section."""
    return list(st.session_state.get(f"{MARKED}-{section_id}", []))


def mark(section_id: str, regions: Sequence[Shape]) -> None:
    """Remember the areas marked in a section, in place of those before."""
    st.session_state[f"{MARKED}-{section_id}"] = list(regions)


def choose_gene(gene: str) -> None:
    """Choose a gene for every page; to be called before its widget is made."""
    st.session_state[GENE] = gene


def choose_sections(sections: Sequence[Section], key: str = SHOWN) -> list[Section]:
    """Let the user choose up to six sections to look at; under the usual key, the same ones on every page."""
    by_id = {section.id: section for section in sections}
    own = [section for section in sections if not section.simulated] or sections
    first = [section.id for section in outside_stacks(own)]
    if all(section.stack for section in own):
        first = first[:: math.ceil(len(first) / MAX_SHOWN)]  # from the lowest to the highest level
    keep_valid(key, list(by_id), first[:MAX_SHOWN])
    if not has_chosen(key):  # until then it follows what there is, as while the samples come
        follow(key, first[:MAX_SHOWN])
    chosen = st.multiselect(
        "Sections shown",
        list(by_id),
        format_func=lambda section_id: by_id[section_id].title,
        max_selections=MAX_SHOWN,
        key=key,
        persist_state="session",
        on_change=note_chosen,
        args=(key,),
    )
    if not chosen:
        st.info("Choose at least one section.")
        st.stop()
    return [by_id[section_id] for section_id in chosen]
