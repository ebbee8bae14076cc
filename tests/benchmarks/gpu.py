"""Try squint on a GPU, in eight minutes.

    python tests/benchmarks/gpu.py

A plain script, for a machine that is lent for minutes and has a torch of its own: squint need not be
installed there, only be in the folder above. Each part prints as it ends, and what is missing is said.

(a) Train and tokenise there; tokens are those of the CPU but for ties.
(b) Time 260,193 cells x 1,000 genes, 20 epochs, K 5,000, and their tokens, beside the card's floor.
(c) Run out of memory on purpose, and go on.
(d) Profile a step: kernels, copies, and how often the CPU waits for the card.

``--device cpu --cells 2000`` tries the script itself where there is no GPU.
"""

import argparse
import importlib.util
import os
import platform
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))
os.environ.setdefault("GOMP_SPINCOUNT", "1000")  # as `import squint` does, were it first

# What training and tokenising import beside the standard library; scanpy only where sections share more genes
# than the model keeps.
NEEDED = (
    *("torch", "torch_geometric", "anndata", "numpy", "scipy", "pandas", "h5py", "zarr", "safetensors"),
    *("sklearn", "lazy_loader"),
)
TIE = 1e-5  # of cosines: codes that are as near as that may be taken for each other
AIMS = {"train, s": 30.0, "tokens, s": 1.0, "on the device, GB": 8.0}
LIMIT_S = 480.0
FOR_EPOCHS_S = 200.0  # of these, at most, for the epochs of (b)
SEED = 0


def main() -> int:
    """Run the parts that are asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", default="cuda", choices=["cuda", "cpu"])
    parser.add_argument("--cells", type=int, default=260_193, help="of (b); (a) takes at most 20,000")
    parser.add_argument("--genes", type=int, default=1_000)
    parser.add_argument("--codes", type=int, default=5_000)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--parts", default="abcd")
    asked = parser.parse_args()
    began = time.perf_counter()
    print(
        f"Python {platform.python_version()}, {os.cpu_count()} CPU cores, {time.strftime('%d %B %Y, %H:%M')}"
    )
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        print(f"Missing here: {', '.join(missing)}. Nothing can be run without them: install or carry them.")
        return 3
    if not _describe(asked.device):
        return 3
    signal.signal(signal.SIGALRM, _stop)
    signal.alarm(int(LIMIT_S))
    parts: dict[str, Callable[[argparse.Namespace], bool]] = {
        "a": same_tokens,
        "b": timings,
        "c": out_of_memory,
        "d": profile,
    }
    failed = []
    for letter in asked.parts:
        start = time.perf_counter()
        print(f"\n## ({letter}) {parts[letter].__doc__}\n", flush=True)
        try:
            sound = parts[letter](asked)
        except TimeoutError:
            print(f"STOPPED: {LIMIT_S:.0f} s are over.", flush=True)
            return 1
        except Exception:  # noqa: BLE001 - the other parts are wanted all the same
            traceback.print_exc(file=sys.stdout)
            sound = False
        failed += [] if sound else [letter]
        print(
            f"\n({letter}) {'done' if sound else 'FAILED'} in {time.perf_counter() - start:.1f} s", flush=True
        )
    print(f"\n{time.perf_counter() - began:.0f} s in all; failed: {', '.join(failed) or 'none'}.", flush=True)
    return 1 if failed else 0


def _stop(*_: object) -> None:
    raise TimeoutError


def _describe(device: str) -> bool:
    """Say what there is, and how fast it is at best; whether it can be used."""
    import torch

    print(f"torch {torch.__version__}, built for CUDA {torch.version.cuda or 'no'}")
    if device == "cpu":
        print("On the CPU, to try the script: none of its numbers is of a GPU.")
    elif not torch.cuda.is_available():
        why = "is built without CUDA" if torch.version.cuda is None else "finds no GPU that it can use"
        print(f"Missing here: a GPU, for this torch {why}. --device cpu tries the script.")
        return False
    else:
        card = torch.cuda.get_device_properties(0)
        print(f"{card.name}, {card.total_memory / 1e9:.0f} GB, {card.multi_processor_count} multiprocessors")
    # As they are by default; said because they decide both speed and agreement.
    print(f"float32 products: {torch.get_float32_matmul_precision()}")
    for name, seconds, work, unit in _at_best(torch.device(device)):
        print(f"{name}: {work / seconds / 1e12:.2f} {unit}" if work else f"{name}: {seconds * 1e6:.1f} us")
    return True


def _at_best(device: Any) -> list[tuple[str, float, float, str]]:
    """Time plain products, a plain copy, and the launch of a kernel that has nothing to do."""
    import torch

    size = 8192 if device.type == "cuda" else 1024
    found = []
    for name, dtype in (("float32 product", torch.float32), ("bfloat16 product", torch.bfloat16)):
        one = torch.randn(size, size, device=device, dtype=dtype)
        found.append((name, _fastest(lambda one=one: one @ one, device), 2.0 * size**3, "TFLOP/s"))
    source = torch.randn(size * size, device=device)
    target = torch.empty_like(source)
    found.append(("copy", _fastest(lambda: target.copy_(source), device), 2.0 * source.nbytes, "TB/s"))
    small = torch.zeros(1, device=device)

    def launches() -> None:
        for _ in range(1000):
            small.add_(1)

    found.append(("a kernel of nothing, one after another", _fastest(launches, device) / 1000, 0.0, ""))
    return found


def _fastest(work: Callable[[], object], device: Any) -> float:
    found = []
    for _ in range(4):
        start = time.perf_counter()
        work()
        _wait(device)
        found.append(time.perf_counter() - start)
    return min(found)


def _wait(device: Any) -> None:
    import torch

    if device.type == "cuda":
        torch.cuda.synchronize()


def _section(asked: argparse.Namespace, most: int | None = None) -> Any:
    """Simulate a section, so that nothing need be carried along."""
    from squint import datasets

    return datasets.bulk(asked.cells if most is None else min(asked.cells, most), asked.genes, seed=SEED)


def _choices(asked: argparse.Namespace, n_epochs: int) -> dict[str, Any]:
    """Choose the model that is timed: that of the paper, without what in-paints."""
    from squint import ModelConfig, TrainConfig

    return {
        "model": ModelConfig(n_codes=asked.codes, n_genes=asked.genes, n_latent=200),
        "train": TrainConfig(n_epochs=n_epochs, context_steps=0, seed=SEED),
    }


def same_tokens(asked: argparse.Namespace) -> bool:
    """Train there and on the CPU; tokens of the same model are the same on both, but for ties."""
    import numpy as np

    import squint
    from squint import keys, tl

    section = _section(asked, 20_000)
    found = {}
    for device in dict.fromkeys((asked.device, "cpu")):
        start = time.perf_counter()
        *_, last = squint.train(section, **_choices(asked, 4), device=device)
        metrics = ", ".join(f"{name} {value:.4g}" for name, value in last.bundle.metrics.items())
        print(f"4 epochs on {device}: {time.perf_counter() - start:.1f} s, loss {last.losses['total']:.4f}")
        print(f"  {metrics}", flush=True)
        found[device] = last
    bundle, tokens, latents = found[asked.device].bundle, [], []
    for device in (asked.device, "cpu"):
        tl.tokenize(section, bundle, device=device)
        tokens.append(np.array(section.obsm[keys.TOKENS][:, 0]))
        latents.append(np.array(section.obsm[keys.LATENT], dtype=np.float64))
    told = tokens[1] >= 0
    codes = bundle.model.codebook.codes.double().cpu().numpy()
    units = latents[1][told] / np.linalg.norm(latents[1][told], axis=1, keepdims=True)
    there, here = (codes[token[told]] for token in tokens)
    gap = np.abs((units * (there - here)).sum(axis=1))
    other = tokens[0][told] != tokens[1][told]
    apart = np.abs(latents[0] - latents[1])[told].max() / np.abs(latents[1][told]).max()
    print(f"latents differ by at most {apart:.1e} of the largest")
    print(f"tokens differ for {other.sum():,} of {told.sum():,} cells, by cosines of at most {gap.max():.1e}")
    ratio = found[asked.device].losses["total"] / found["cpu"].losses["total"]
    print(f"last loss, of that on the CPU: {ratio:.4f}")
    return bool((gap <= TIE).all() and np.array_equal(tokens[0] < 0, ~told) and 0.97 < ratio < 1.03)


def timings(asked: argparse.Namespace) -> bool:
    """Time the stages of a training and of tokens, beside what the card could do at best."""
    import torch

    from squint.benchmarks import speed
    from squint.benchmarks.meter import Meter
    from squint.training.run import Run

    device = torch.device(asked.device)
    few = _section(asked, 20_000)
    run = Run([few], **_arguments(_choices(asked, 20)), hidden=None, device=device)
    run.epoch(1)
    _wait(device)
    start = time.perf_counter()
    run.epoch(2)
    _wait(device)
    each = (time.perf_counter() - start) * asked.cells / few.n_obs
    del run
    n_epochs = min(asked.epochs, max(2, int(FOR_EPOCHS_S / each)))
    if n_epochs < asked.epochs:
        print(f"An epoch takes about {each:.0f} s: {n_epochs} of {asked.epochs} are run.", flush=True)
    meter = Meter(device)
    choices = _choices(asked, n_epochs)
    print(f"{asked.cells:,} cells x {asked.genes:,} genes, simulated; K {asked.codes:,}, {n_epochs} epochs")
    for row in speed.benchmark(_section(asked), choices["model"], choices["train"], meter):
        print(f"  {row['stage']}: {row['seconds']:.2f} s, {row['device_gb']:.2f} GB there", flush=True)
    print("", *meter.lines(), sep="\n")
    rows = {row["stage"]: row["seconds"] for row in meter.rows}
    tokens = rows.pop("tokenise, graph included")
    del rows["read"]
    said = {
        "train, s": sum(rows.values()),
        "tokens, s": tokens,
        "on the device, GB": max(row["device_gb"] for row in meter.rows),
    }
    print("")
    for name, value in said.items():
        print(f"{name}: {value:.2f} (aim: at most {AIMS[name]:g})")
    return True


def _arguments(choices: dict[str, Any]) -> dict[str, Any]:
    return {"config": choices["model"], "choices": choices["train"]}


def out_of_memory(asked: argparse.Namespace) -> bool:
    """Leave too little memory for a tile, then for a training; both are survived."""
    import numpy as np
    import torch

    import squint
    from squint import keys, tl

    if asked.device == "cpu":
        print("Not run: a CPU has no memory that could be taken from this process alone.")
        return True
    section = _section(asked, 20_000)
    *_, last = squint.train(section, **_choices(asked, 2), device="cuda")
    expected = section.copy()
    tl.tokenize(expected, last.bundle, device="cuda")
    total = torch.cuda.get_device_properties(0).total_memory
    sound = True
    for megabytes in (400, 60, 1):
        torch.cuda.empty_cache()
        held = torch.cuda.memory_reserved()
        torch.cuda.set_per_process_memory_fraction((held + megabytes * 1e6) / total)
        again = section.copy()
        try:
            tl.tokenize(again, last.bundle)
        finally:
            torch.cuda.set_per_process_memory_fraction(1.0)
        same = (again.obsm[keys.TOKENS] == expected.obsm[keys.TOKENS]).mean()
        said = [line for line in again.uns[keys.PROVENANCE]["warnings"] if "GPU" in line]
        print(f"{megabytes} MB left: {same:.2%} of the tokens are the same. {' '.join(said)}", flush=True)
        sound &= bool(
            same > 0.999 and np.isfinite(again.obsm[keys.LATENT][expected.obsm[keys.TOKENS][:, 0] >= 0]).all()
        )
    for megabytes in (300, 20):
        torch.cuda.empty_cache()
        held = torch.cuda.memory_reserved()
        torch.cuda.set_per_process_memory_fraction((held + megabytes * 1e6) / total)
        try:
            *_, ended = squint.train(section, **_choices(asked, 2), device="cuda")
            ended_how = f"trained, loss {ended.losses['total']:.4f}"
        except squint.InputError as error:
            ended_how = f"refused: {error}"
        finally:
            torch.cuda.set_per_process_memory_fraction(1.0)
        print(f"{megabytes} MB left to train in: {ended_how}", flush=True)
    *_, ended = squint.train(section, **_choices(asked, 1), device="cuda")
    print(f"With all of it again: trained, loss {ended.losses['total']:.4f}")
    return sound


def profile(asked: argparse.Namespace) -> bool:
    """Say what a step consists of."""
    import torch
    from torch.profiler import ProfilerActivity
    from torch.profiler import profile as watch

    from squint.training.run import Run

    device, on_gpu = torch.device(asked.device), asked.device == "cuda"
    run = Run([_section(asked, 10_000)], **_arguments(_choices(asked, 20)), hidden=None, device=device)
    run.epoch(1)
    run.start_codebook()
    run.epoch(run.n_continuous + 1)
    _wait(device)
    start = time.perf_counter()
    run.epoch(run.n_continuous + 2)
    _wait(device)
    seconds = time.perf_counter() - start
    n_steps = -(-run.cohort.n_cells // run.choices.batch_size)
    print(f"{n_steps} steps of about {run.choices.batch_size} cells: {1e3 * seconds / n_steps:.2f} ms each")
    if on_gpu:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            torch.cuda.set_sync_debug_mode("warn")
            run.epoch(run.n_continuous + 3)
            torch.cuda.set_sync_debug_mode("default")
        waits = [line for line in caught if "synchroniz" in str(line.message)]
        print(f"The CPU waited for the card {len(waits):,} times, {len(waits) / n_steps:.1f} times a step:")
        places: dict[str, int] = {}
        for line in waits:
            at = f"{Path(line.filename).name}:{line.lineno}"
            places[at] = places.get(at, 0) + 1
        for at, times in sorted(places.items(), key=lambda item: -item[1])[:12]:
            print(f"  {times:6,}  {at}")
    kinds = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if on_gpu else [])]
    with watch(activities=kinds) as seen:
        run.epoch(run.n_continuous + 4)
        _wait(device)
    table = seen.key_averages()
    if on_gpu:
        kernels = [event for event in table if event.device_type.name == "CUDA"]
        busy = sum(event.self_device_time_total for event in kernels) / 1e6
        n_kernels = sum(event.count for event in kernels)
        each = 1e3 * busy / n_steps
        print(f"{n_kernels / n_steps:.0f} kernels and copies a step; the card worked {each:.2f} ms of each,")
        print(f"{busy / seconds:.0%} of the time")
    sort = "self_cuda_time_total" if on_gpu else "self_cpu_time_total"
    print(table.table(sort_by=sort, row_limit=25, max_name_column_width=60))
    return True


if __name__ == "__main__":
    sys.exit(main())
