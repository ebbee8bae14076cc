"""Who may come in, by what an identity provider says and by the rules of a server."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import event

from squint.errors import InputError
from squint.library.database import Database
from squint.library.people import ADMIN, ANALYST, NONE, VIEWER, People
from squint.library.projects import FIRST, OWNER, Projects
from squint.library.sign_in import NotAdmittedError, OverError, Rules, admit, end, read_claims

NOW = 1_800_000_000.0
RULES = Rules.read({})


def claims(subject: str = "ben", **more: object) -> dict[str, object]:
    return {"iss": "https://id.example", "sub": subject, "iat": NOW - 60, "exp": NOW + 600, **more}


def test_whoever_comes_first_gets_a_project_of_their_own_and_keeps_it(database: Database) -> None:
    ben = admit(database, claims(name="Ben Okafor"), RULES, NOW)
    assert (ben.name, ben.role) == ("Ben Okafor", ANALYST)
    assert admit(database, claims(name="Ben Okafor"), RULES, NOW + 1) == ben
    [own] = Projects(database).of(ben.id)
    assert own.name == "Project of Ben Okafor"
    assert Projects(database).role(own.id, ben.id) == OWNER
    anna = admit(database, claims("anna", name="Ben Okafor"), RULES, NOW)
    [hers] = Projects(database).of(anna.id)
    assert hers.name == "Project of Ben Okafor (2)"
    assert Projects(database).role(own.id, anna.id) == ""
    assert Projects(database).role(FIRST, anna.id) == ""


def test_the_same_name_at_another_provider_is_somebody_else(database: Database) -> None:
    assert admit(database, claims(), RULES, NOW).id != admit(database, claims(iss="other"), RULES, NOW).id


def test_a_token_that_has_expired_lets_nobody_in(database: Database) -> None:
    admit(database, claims(), RULES, NOW + 599)
    with pytest.raises(OverError):
        admit(database, claims(), RULES, NOW + 600)
    longer = Rules.read({"SQUINT_SIGN_IN_HOURS": "8"})
    admit(database, claims(), longer, NOW + 8 * 3600 - 61)
    with pytest.raises(OverError):
        admit(database, claims(), longer, NOW + 8 * 3600 - 60)


@pytest.mark.parametrize("lacks", ["iss", "sub", "exp"])
def test_a_token_that_lacks_what_counts_lets_nobody_in(database: Database, lacks: str) -> None:
    wrongs: tuple[object, ...] = (None, "", [], True, "a\0b", "a" * 256)
    for wrong in wrongs:
        with pytest.raises(NotAdmittedError):
            admit(database, claims(**{lacks: wrong}), RULES, NOW)
    with pytest.raises(NotAdmittedError):
        admit(database, {}, RULES, NOW)
    assert not People(database).all()


def test_signing_out_ends_that_sign_in_alone(database: Database) -> None:
    first, second = claims(nonce="a"), claims(nonce="b")
    admit(database, first, RULES, NOW)
    end(database, first, RULES, NOW)
    end(database, first, RULES, NOW)
    with pytest.raises(OverError):
        admit(database, first, RULES, NOW)
    admit(database, second, RULES, NOW)


def test_whoever_was_removed_stays_outside_until_an_admin_lets_them_in(database: Database) -> None:
    people = People(database)
    ben = admit(database, claims(), RULES, NOW)
    people.remove(ben.id)
    for _ in range(2):
        with pytest.raises(NotAdmittedError):
            admit(database, claims(), RULES, NOW)
    with pytest.raises(NotAdmittedError):  # naming them is not enough: somebody has removed them
        admit(database, claims(), Rules.read({"SQUINT_ADMINS": "ben"}), NOW)
    assert not Projects(database).of(ben.id)
    people.set_role(ben.id, VIEWER)
    assert admit(database, claims(), RULES, NOW).role == VIEWER


def test_whoever_was_removed_keeps_nobody_from_writing_by_asking_on(database: Database) -> None:
    ben = admit(database, claims(), RULES, NOW)
    People(database).remove(ben.id)
    said: list[str] = []
    event.listen(
        database.engine, "before_cursor_execute", lambda _c, _u, statement, *_: said.append(statement)
    )
    with pytest.raises(NotAdmittedError):
        admit(database, claims(), RULES, NOW + 300)
    assert said
    assert not [one for one in said if one.startswith(("BEGIN IMMEDIATE", "UPDATE", "INSERT"))]


@pytest.mark.parametrize(("first", "n_projects"), [(ANALYST, 1), (VIEWER, 0)])
def test_a_server_says_what_newcomers_may_do(database: Database, first: str, n_projects: int) -> None:
    someone = admit(database, claims(), Rules.read({"SQUINT_FIRST_ROLE": first}), NOW)
    assert someone.role == first
    assert len(Projects(database).of(someone.id)) == n_projects


def test_a_server_may_let_in_nobody_before_an_admin_does(database: Database) -> None:
    rules = Rules.read({"SQUINT_FIRST_ROLE": "none"})
    with pytest.raises(NotAdmittedError, match="Ask whoever runs it"):
        admit(database, claims(), rules, NOW)
    [known] = People(database).all()
    People(database).set_role(known.id, ANALYST)
    assert admit(database, claims(), rules, NOW).role == ANALYST


def test_admins_are_named_by_subject_or_by_an_address_that_the_provider_vouches_for(
    database: Database,
) -> None:
    rules = Rules.read({"SQUINT_ADMINS": "anna, Chief@Example.org"})
    assert admit(database, claims("anna"), rules, NOW).role == ADMIN
    assert admit(database, claims("Anna"), rules, NOW).role == ANALYST  # a provider may know both
    liar = claims("liar", email="chief@example.org")
    assert admit(database, liar, rules, NOW).role == ANALYST
    assert admit(database, {**liar, "email_verified": "true"}, rules, NOW).role == ANALYST
    assert admit(database, {**liar, "email_verified": True}, rules, NOW).role == ADMIN


def test_the_first_admin_finds_what_was_there_before_people_signed_in(database: Database) -> None:
    anna = admit(database, claims("anna"), Rules.read({"SQUINT_ADMINS": "anna"}), NOW)
    assert [one.id for one in Projects(database).of(anna.id)] == [FIRST]


def test_groups_let_in_and_give_roles_and_take_both_away(database: Database) -> None:
    rules = Rules.read({"SQUINT_SIGN_IN_GROUPS": "lab, path=viewer, it=admin"})
    assert admit(database, claims(groups=["lab"]), rules, NOW).role == ANALYST
    assert admit(database, claims("b", groups=["lab", "path"]), rules, NOW).role == VIEWER
    assert admit(database, claims("c", groups=["path", "it"]), rules, NOW).role == ADMIN
    assert admit(database, claims("c", groups="path"), rules, NOW).role == VIEWER
    for none in ([], None, ["other"], 7):
        with pytest.raises(NotAdmittedError, match="no group"):
            admit(database, claims("c", groups=none), rules, NOW)
    named = Rules.read({"SQUINT_SIGN_IN_GROUPS": "lab", "SQUINT_GROUPS_CLAIM": "roles"})
    assert admit(database, claims("d", roles=["lab"]), named, NOW).role == ANALYST


@pytest.mark.parametrize(
    "settings",
    [
        {"SQUINT_FIRST_ROLE": "admin"},
        {"SQUINT_SIGN_IN_GROUPS": "lab=boss"},
        {"SQUINT_SIGN_IN_GROUPS": "=viewer"},
        {"SQUINT_SIGN_IN_HOURS": "soon"},
        {"SQUINT_SIGN_IN_HOURS": "0"},
        {"SQUINT_SIGN_IN_HOURS": "nan"},
    ],
)
def test_settings_that_cannot_be_understood_are_refused(settings: dict[str, str]) -> None:
    with pytest.raises(InputError, match=next(iter(settings))):
        Rules.read(settings)


_ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(
    st.dictionaries(
        st.sampled_from(["iss", "sub", "iat", "exp", "name", "email", "email_verified", "groups"]),
        _ANY,
    )
)
def test_claims_of_any_kind_are_read_or_refused(told: dict[str, object]) -> None:
    try:
        found = read_claims(told, RULES)
    except NotAdmittedError:
        return
    assert found.issuer
    assert found.subject
    assert found.name.isprintable()


def test_the_last_admin_stays(database: Database) -> None:
    people = People(database)
    anna = admit(database, claims("anna"), Rules.read({"SQUINT_ADMINS": "anna"}), NOW)
    ben = admit(database, claims("ben"), RULES, NOW)
    for act in (lambda: people.remove(anna.id), lambda: people.set_role(anna.id, VIEWER)):
        with pytest.raises(InputError, match="last admin"):
            act()
    people.set_role(ben.id, ADMIN)
    people.set_role(anna.id, NONE)
    with pytest.raises(InputError, match="last admin"):
        people.remove(ben.id)
