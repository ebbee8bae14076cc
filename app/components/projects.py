"""Projects on a page: who is in them, and for admins who uses the server at all."""

import time
from collections.abc import Callable, Sequence
from functools import partial

import streamlit as st

from app import managing, who
from app.text import as_text, sentence
from squint.errors import InputError
from squint.library.people import ADMIN, ROLES, Known, Person
from squint.library.place import word_of
from squint.library.projects import FIRST, MEMBER, OWNER, Member, Project

_TOLD = "_projects_told"
_ROLES = {
    "none": "none: may not come in",
    "viewer": "viewer: looks and exports",
    "analyst": "analyst: also adds and changes",
    "admin": "admin: also manages people and projects",
}


def say_what_happened() -> None:
    """Say why the last change was refused, if it was."""
    if told := st.session_state.pop(_TOLD, None):
        st.error(sentence(told))


def show_projects(person: Person) -> None:
    """Show the projects that somebody is in; to admins, all."""
    registered = who.registered_projects()
    mine = {one.id for one in registered.of(person.id)}
    shown = registered.all() if person.may(ADMIN) else registered.of(person.id)
    opened = who.project()
    if not shown:
        st.info("You are in no project yet. Ask an admin, or the owner of a project, to let you in.")
    for one in shown:
        with st.container(border=True, key=f"project-{word_of(one.id)}"):
            _show(
                one,
                registered.members(one.id),
                person,
                is_mine=one.id in mine,
                is_open=opened is not None and opened.id == one.id,
            )
    if person.may(ADMIN):
        _offer_new(person)


def show_people(person: Person) -> None:
    """Show to admins everybody who signed in, and let them change what each may do."""
    if not person.may(ADMIN):
        return
    st.header("People")
    st.caption(
        "Everybody who has signed in. What they may do holds in all of their projects. Where groups of the "
        "identity provider give roles (SQUINT_SIGN_IN_GROUPS), a change here lasts until they come again."
    )
    for one in managing.people().all():
        with st.container(border=True, key=f"person-{one.id}"):
            name, seen, role, remove = st.columns([5, 3, 5, 3], vertical_alignment="center")
            name.markdown(_called(one))
            seen.caption(f"last seen {_day(one.seen)}" + ("; removed" if one.removed else ""))
            key = f"role-{one.id}-{one.role_now}"
            role.selectbox(
                f"Role of {one.name}",
                ROLES,
                ROLES.index(one.role_now),
                format_func=_ROLES.__getitem__,
                key=key,
                label_visibility="collapsed",
                on_change=_take_role,
                args=(one.id, key),
            )
            if not one.removed and one.id != person.id:
                with remove.popover("Remove", icon=":material/person_remove:", type="tertiary"):
                    st.markdown(
                        f"**{as_text(one.name)}** is signed out, may not come in again, and is in no project "
                        "any more. What they added stays."
                    )
                    _button(
                        "Remove from this server", f"remove-person-{one.id}", managing.remove_person, one.id
                    )


def _show(one: Project, members: Sequence[Member], person: Person, *, is_mine: bool, is_open: bool) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{as_text(one.name)}**", width="content")
        if is_open:
            st.badge("open", color="green", icon=":material/check:")
        elif is_mine:
            st.button("Open", key=f"open-{one.id}", on_click=who.open_project, args=(one.id,))
    manages = managing.may_manage(one.id)
    for member in members:
        _show_member(one, member, manages=manages)
    if not members:
        st.caption("Nobody is in this project.")
    if manages:
        with st.container(horizontal=True):
            _offer_member(one, members, person)
            _offer_name(one)
            if person.may(ADMIN) and one.id != FIRST:
                _offer_removal(one)


def _show_member(one: Project, member: Member, *, manages: bool) -> None:
    name, role, remove = st.columns([8, 5, 3], vertical_alignment="center")
    name.markdown(_called(member.person))
    if not manages:
        role.caption(member.role)
        return
    key = f"member-{one.id}-{member.person.id}-{member.role}"
    role.selectbox(
        f"{member.person.name} in {one.name}",
        [OWNER, MEMBER],
        [OWNER, MEMBER].index(member.role),
        key=key,
        label_visibility="collapsed",
        on_change=_take_member_role,
        args=(one.id, member.person.id, key),
    )
    with remove:
        _button(
            "Take out",
            f"take-out-{one.id}-{member.person.id}",
            managing.remove_member,
            one.id,
            member.person.id,
            tertiary=True,
        )


def _offer_member(one: Project, members: Sequence[Member], person: Person) -> None:
    with st.popover("Add a member", icon=":material/person_add:"):
        if not person.may(ADMIN):
            key = f"add-email-{one.id}"
            asked = "They must have signed in here once."
            st.text_input("E-mail address", key=key, max_chars=255, help=asked)
            st.button("Add", key=f"add-{one.id}", on_click=_take_email, args=(one.id, key))
            return
        inside = {member.person.id for member in members}
        there = [known for known in managing.people().all() if not known.removed]
        others = {known.id: known for known in there if known.id not in inside}
        if not others:
            st.caption("Everybody who has signed in is in it.")
            return
        key = f"add-person-{one.id}"
        st.selectbox("Person", list(others), format_func=lambda one: others[one].name, key=key)
        st.button("Add", key=f"add-{one.id}", on_click=_take_person, args=(one.id, key))


def _offer_name(one: Project) -> None:
    with st.popover("Rename", icon=":material/edit:"):
        key = f"name-{one.id}-{one.name}"
        st.text_input("Name", one.name, key=key, max_chars=80)
        st.button("Save", key=f"rename-{one.id}", on_click=_take_name, args=(one.id, key))


def _offer_removal(one: Project) -> None:
    with st.popover("Remove", icon=":material/delete:", type="tertiary"):
        st.markdown(
            f"**{as_text(one.name)}** is removed with all of its sections, models and results. "
            "This cannot be undone."
        )
        sure = st.checkbox("I have a backup, or need none", key=f"sure-{one.id}")
        _button("Remove for good", f"remove-{one.id}", managing.remove_project, one.id, disabled=not sure)


def _offer_new(person: Person) -> None:
    with st.expander("Add a project", icon=":material/create_new_folder:"):
        known = {one.id: one for one in managing.people().all() if not one.removed}
        name, owner = st.columns(2)
        name.text_input("Name", key="new-project", max_chars=80)
        owner.selectbox(
            "Owner",
            list(known),
            list(known).index(person.id),
            format_func=lambda one: known[one].name,
            key="new-owner",
        )
        st.button("Add", key="add-project", type="primary", on_click=_take_new)


def _button(
    label: str,
    key: str,
    act: Callable[..., None],
    *args: object,
    disabled: bool = False,
    tertiary: bool = False,
) -> None:
    st.button(
        label,
        key=key,
        disabled=disabled,
        type="tertiary" if tertiary else "secondary",
        on_click=_safely,
        args=(partial(act, *args),),
    )


def _safely(act: Callable[[], None]) -> None:
    """Do something, or remember to say why it was refused."""
    try:
        act()
    except InputError as error:
        st.session_state[_TOLD] = str(error)


def _take_role(person_id: int, key: str) -> None:
    _safely(partial(managing.set_role, person_id, st.session_state[key]))
    del st.session_state[key]  # where it was refused, the old one is shown again


def _take_member_role(project_id: str, person_id: int, key: str) -> None:
    _safely(partial(managing.add_member, project_id, person_id, st.session_state[key]))
    del st.session_state[key]


def _take_email(project_id: str, key: str) -> None:
    _safely(partial(managing.add_member_by_email, project_id, st.session_state[key]))


def _take_person(project_id: str, key: str) -> None:
    _safely(partial(managing.add_member, project_id, st.session_state[key]))


def _take_name(project_id: str, key: str) -> None:
    _safely(partial(managing.rename_project, project_id, st.session_state[key]))


def _take_new() -> None:
    def add() -> None:
        managing.add_project(st.session_state["new-project"], st.session_state["new-owner"])
        st.session_state["new-project"] = ""

    _safely(add)


def _called(one: Known) -> str:
    return f"{as_text(one.name)}{f' · {as_text(one.email)}' if one.email else ''}"


def _day(seconds: float) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(seconds))
