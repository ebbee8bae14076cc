import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from squint import io
from squint.errors import InputError
from squint.io import slots


def is_label(text: str) -> bool:
    return bool(slots.labels(pd.Series([text])).notna().all())


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=15)
@given(
    label=st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1).filter(is_label),
    provenance=st.dictionaries(
        st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1),
        st.recursive(
            st.none()
            | st.booleans()
            | st.integers(-(2**31), 2**31)
            | st.floats(allow_nan=False)
            | st.just("text"),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b/c"]), inner),
            max_leaves=6,
        ),
        max_size=3,
    ),
)
def test_what_is_written_is_read_again(section, tmp_path, label, provenance):
    section.obs["section"] = [label] * 30
    section.write_h5ad(tmp_path / "a.h5ad")
    first = io.read(tmp_path / "a.h5ad")
    first.uns["squint"] |= {f"p_{key}": value for key, value in provenance.items()}
    io.write(first, tmp_path / "b.h5ad")
    second = io.read(tmp_path / "b.h5ad")
    assert (first.X != second.X).nnz == 0
    pd.testing.assert_frame_equal(first.obs, second.obs)
    np.testing.assert_array_equal(first.obsm["spatial"], second.obsm["spatial"])
    of_the_file = {"source_sha256", "notes"}
    kept = {key: value for key, value in first.uns["squint"].items() if key not in of_the_file}
    assert kept == {key: value for key, value in second.uns["squint"].items() if key not in of_the_file}


def test_writing_changes_neither_the_object_nor_leaves_a_partial_file(section, tmp_path):
    section.uns["squint"] = {"section_condition": {"a/b": "trained"}}
    before = section.copy()
    io.write(section, tmp_path / "x.h5ad")
    pd.testing.assert_frame_equal(section.obs, before.obs)
    assert section.uns["squint"] == before.uns["squint"]
    section.uns["unwritable"] = object()
    with pytest.raises(InputError, match="could not be written"):
        io.write(section, tmp_path / "x.h5ad")
    assert [path.name for path in tmp_path.iterdir()] == ["x.h5ad"]
    assert io.read(tmp_path / "x.h5ad").n_obs == 30


def test_writing_to_a_missing_folder_is_refused(section, tmp_path):
    with pytest.raises(InputError, match="could not be written"):
        io.write(section, tmp_path / "absent" / "x.h5ad")
