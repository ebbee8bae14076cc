import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import anndata
import pytest
import torch
from distributed.scheduler import KilledWorker

import squint
from squint import Bundle, InputError, datasets, io, keys
from squint.cli import cluster
from squint.cli.main import main
from squint.engine import scheduler
from squint.library import place

pytestmark = pytest.mark.slow

CONFIG = {
    "model": {"n_codes": 6, "n_hidden": 16, "n_latent": 8},
    "train": {"n_epochs": 2, "batch_size": 128, "tile_size": 32, "context_steps": 4},
}
N_SECTIONS = 8  # each worker still has some when the first is done


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Give a folder with small sections and a bundle trained on the first."""
    folder = tmp_path_factory.mktemp("engine")
    for seed in range(N_SECTIONS):
        section = datasets.toy(seed=seed, n_cells=200)
        section.obs[keys.SECTION] = [f"{seed}-{old}" for old in section.obs[keys.SECTION]]
        io.write(section, folder / f"section{seed}.h5ad")
    (folder / "config.json").write_text(json.dumps(CONFIG))
    arguments = [str(folder / "section0.h5ad"), "--out", str(folder / "bundle")]
    assert main(["train", *arguments, "--config", str(folder / "config.json")]) == 0
    return folder


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """Start a scheduler and two worker processes on loopback, and give the scheduler's address."""
    home = tmp_path_factory.mktemp("dask")
    scheduler_file = home / "scheduler.json"
    shared = [
        "--scheduler-file",
        str(scheduler_file),
        "--host",
        "127.0.0.1",
        "--dashboard-address",
        "127.0.0.1:0",
    ]
    programs = {
        "scheduler": ["--port", "0", "--idle-timeout", "300"],
        "worker": [
            "--nworkers",
            "2",
            "--nthreads",
            "1",
            "--death-timeout",
            "60",
            "--local-directory",
            str(home),
        ],
    }
    started = []
    for name, more in programs.items():
        with (home / f"{name}.log").open("w") as log:
            command = [sys.executable, "-m", f"distributed.cli.dask_{name}", *shared, *more]
            where = {**os.environ, "PYTHONPATH": str(Path(squint.__file__).parents[1])}
            started.append(subprocess.Popen(command, stdout=log, stderr=log, env=where))
        waited = time.monotonic() + 30
        while not scheduler_file.exists() and time.monotonic() < waited:
            time.sleep(0.05)
    yield json.loads(scheduler_file.read_text())["address"]
    for process in reversed(started):
        process.terminate()
        process.wait(timeout=30)


def paths(folder, numbers):
    return [folder / f"section{number}.h5ad" for number in numbers]


def run(capsys, sections, bundle, out, *more):
    """Tokenise; give the exit code and the lines on stderr."""
    code = main(["tokenize", *map(str, sections), "--model", str(bundle), "--out", str(out), *more])
    lines = capsys.readouterr().err.splitlines()
    assert "Traceback" not in "".join(lines)
    return code, lines


def written(out):
    return {path.name: path.stat().st_mtime_ns for path in out.iterdir()}


def assert_equal_tokens(one, other):
    one, other = anndata.read_h5ad(one), anndata.read_h5ad(other)
    assert (one.obs[keys.TOKEN] == other.obs[keys.TOKEN]).all()
    assert (one.obs[keys.DISTANCE] == other.obs[keys.DISTANCE]).all()
    assert (one.obsm[keys.TOKENS] == other.obsm[keys.TOKENS]).all()
    assert (one.obsm[keys.LATENT] == other.obsm[keys.LATENT]).all()


def test_a_worker_that_is_killed_takes_no_section_along(folder, address, tmp_path):
    files = {path: tmp_path / path.name for path in paths(folder, range(N_SECTIONS))}
    with scheduler.connect(address) as client:
        client.wait_for_workers(2)
        assert cluster.describe(client) == f"{address}: 2 workers"
        pids = client.run(os.getpid)
        outcomes = cluster.tokenize(client, files, folder / "bundle")
        done = [next(outcomes)]
        busy = {worker: len(tasks) for worker, tasks in client.processing().items()}
        assert len(list(tmp_path.glob("*.h5ad"))) < N_SECTIONS
        killed = pids[max(busy, key=busy.get)]
        os.kill(killed, signal.SIGKILL)
        done += outcomes
        assert killed not in client.run(os.getpid).values()
    assert {outcome.target for outcome in done} == set(files.values())
    assert not any(outcome.error for outcome in done)
    for target in files.values():
        assert anndata.read_h5ad(target).obs[keys.TOKEN].notna().all()


def test_tokens_are_those_of_the_command_without_engine(folder, address, tmp_path, capsys, monkeypatch):
    sections = paths(folder, range(3))
    assert run(capsys, sections, folder / "bundle", tmp_path / "here")[0] == 0
    monkeypatch.chdir(tmp_path)  # relative to where the command is, not to where the workers are
    json_file = tmp_path / "facts.json"
    more = ["--engine", address, "--json", str(json_file)]
    assert run(capsys, sections, folder / "bundle", "there", *more)[0] == 0
    for section in sections:
        assert_equal_tokens(tmp_path / "here" / section.name, tmp_path / "there" / section.name)
    facts = json.loads(json_file.read_text())
    assert [file["n_cells"] for file in facts["files"]] == [200] * 3
    assert facts["model_sha256"] == Bundle.load(folder / "bundle").sha256


def test_processes_of_this_machine_are_enough(folder, tmp_path):
    sections = paths(folder, range(3))
    for out, words in {"one": (), "two": ("--devices", "2")}.items():
        given = [*map(str, sections), "--model", str(folder / "bundle"), "--out", str(tmp_path / out)]
        command = [sys.executable, "-m", "squint", "tokenize", *given, *words]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    assert "2 workers" in done.stderr
    assert "INFO" not in done.stderr
    for section in sections:
        assert_equal_tokens(tmp_path / "one" / section.name, tmp_path / "two" / section.name)


def test_a_model_is_chosen_before_the_work_is_handed_out(folder, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("SQUINT_HOME", str(tmp_path / "none"))
    monkeypatch.setattr(place, "SAMPLES", folder)
    assert run(capsys, paths(folder, range(2)), "auto", tmp_path / "out", "--devices", "2")[0] == 0
    for path in paths(tmp_path / "out", range(2)):
        made = anndata.read_h5ad(path).uns[keys.PROVENANCE]
        assert made["model_sha256"] == Bundle.load(folder / "bundle").sha256
        assert made["model_choice"]["name"] == "bundle"


def test_only_what_is_missing_or_of_another_source_or_model_is_done_again(folder, address, tmp_path, capsys):
    sections, bundle, out = (
        [tmp_path / f"{number}.h5ad" for number in range(3)],
        tmp_path / "bundle",
        tmp_path / "out",
    )
    for section, source in zip(sections, paths(folder, range(3)), strict=True):
        shutil.copy(source, section)
    shutil.copytree(folder / "bundle", bundle)

    def done_again():
        before = written(out)
        code, lines = run(capsys, sections, bundle, out, "--engine", address)
        assert code == 0
        after = written(out)
        kept = {name for name in after if after[name] == before.get(name)}
        assert {line for line in lines if "already done" in line} == {
            f"{out / name}: already done" for name in kept
        }
        return set(after) - kept

    out.mkdir()
    assert done_again() == {"0.h5ad", "1.h5ad", "2.h5ad"}
    assert done_again() == set()
    (out / "1.h5ad").unlink()
    assert done_again() == {"1.h5ad"}
    (out / "2.h5ad").write_bytes(b"a damaged result")
    assert done_again() == {"2.h5ad"}
    shutil.copy(folder / "section7.h5ad", sections[0])
    assert done_again() == {"0.h5ad"}
    changed = Bundle.load(bundle)
    with torch.no_grad():
        next(changed.model.parameters()).add_(0.01)
    changed.save(bundle)
    assert done_again() == {"0.h5ad", "1.h5ad", "2.h5ad"}


def test_a_bad_file_does_not_stop_the_others(folder, address, tmp_path, capsys):
    bad = tmp_path / "bad.h5ad"
    bad.write_text("no section")
    one, other = paths(folder, (0, 1))
    code, lines = run(capsys, [one, bad, other], folder / "bundle", tmp_path / "out", "--engine", address)
    assert code == 2
    assert set(written(tmp_path / "out")) == {one.name, other.name}
    (why,) = [line for line in lines if line.startswith(f"{bad} failed: ")]
    assert "not an .h5ad file" in why
    assert lines[-1].startswith("squint: 1 of 3 sections failed")
    assert str(bad) in lines[-1]


def test_another_version_of_squint_at_the_workers_is_refused(address, monkeypatch):
    monkeypatch.setattr(scheduler, "version", lambda _: "0.0.1")
    with (
        pytest.raises(InputError, match=r"squint is 0\.0\.1 here and .* at the scheduler"),
        scheduler.connect(address),
    ):
        pass


@pytest.mark.parametrize(
    "nobody", ["tcp://127.0.0.1:1", "127.0.0.1", "tls://127.0.0.1:1", "what://127.0.0.1:1"]
)
def test_nobody_at_the_address_is_said_soon(nobody, folder, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(scheduler, "CONNECT_S", 1.0)
    start = time.monotonic()
    code, lines = run(capsys, paths(folder, [0]), folder / "bundle", tmp_path / "out", "--engine", nobody)
    assert code == 2
    assert lines == [lines[0]]
    assert lines[0].startswith(f"squint: No Dask scheduler answers at {nobody}: ")
    assert time.monotonic() - start < 10


def test_out_must_be_a_folder_of_its_own(folder, address, tmp_path, capsys):
    more = ["--engine", address]
    code, lines = run(capsys, paths(folder, [0]), folder / "bundle", tmp_path / "out.h5ad", *more)
    assert (code, len(lines)) == (2, 1)
    assert "OUT must be a folder" in lines[0]
    before = written(folder)
    code, lines = run(capsys, paths(folder, [0]), folder / "bundle", folder, *more)
    assert code == 2
    assert "would replace the section" in lines[-1]
    assert written(folder) == before


def test_a_section_over_which_all_workers_die_is_explained_in_one_line():
    said = cluster._reason(KilledWorker("key", None, 1))
    assert said.startswith("2 workers died over it")
    assert "\n" not in said
