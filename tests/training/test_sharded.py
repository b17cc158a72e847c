"""Two processes that train one model together end where one alone does, whatever is trained and however it is split."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

import tiny
from operant.engine.body import can_pack, try_shorter
from operant.engine.check import trials_over, tried
from operant.engine.processes import Place, gathered, joined, launched, place, refuse_launched
from operant.errors import OperantError
from operant.models.weights import weights
from operant.training.update import Schedule, own_parts, parts_of
from training.sharded_cases import CASES, LONG, killed, language_model, made, pairs, train

ROUNDED = ("bfloat16",)  # other parts of a batch are rounded otherwise


def started(rank: int, port: int, folder: Path) -> subprocess.Popen:
    """One of two processes, told what `torchrun` tells them."""
    told = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": 2, "LOCAL_WORLD_SIZE": 2, "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": port, "OMP_NUM_THREADS": 1, "PYTHONPATH": os.pathsep.join(sys.path)}  # fmt: skip
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "training.sharded_cases", str(folder)], text=True,
        env={**os.environ, **{name: str(value) for name, value in told.items()}},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where two processes have done their work, with the states of fits that others go on with."""
    folder = tmp_path_factory.mktemp("sharded")
    tiny.base().save(folder / "model")
    rows = [
        {"prompt": pair.prompt.content, "chosen": pair.chosen.value, "rejected": pair.rejected.value}
        for pair in tiny.graded().resized(pairs=60, test_prompts=4).pairs("train")
    ]
    (folder / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    killed(pairs(schedule=LONG), folder / "begun by one", parts=3)
    port = free_port()
    both = [started(rank, port, folder) for rank in range(2)]
    try:
        said = [one.communicate(timeout=120) for one in both]
    finally:
        for one in both:
            one.kill()
    assert [one.returncode for one in both] == [0, 0], "\n".join(error for _, error in said)
    (folder / "said.json").write_text(json.dumps([text for text, _ in said]))
    return folder


def found(folder: Path, rank: int = 0) -> dict:
    return json.loads((folder / f"{rank}.json").read_text())


def gap(ours: dict, theirs: dict) -> float:
    """How far two sets of weights lie apart. AdamW divides by the gradient's size, so where it is 0 rounding shows."""
    return float(torch.stack([(ours[name].double() - value).norm() for name, value in theirs.items()]).norm())


def assert_near(ours, theirs, *, within: float):
    """Every tensor, by the size of the difference against its own."""
    assert ours.keys() == theirs.keys()
    for name, value in theirs.items():
        apart, size = (ours[name].double() - value).norm(), value.double().norm()
        assert apart <= within * size + 1e-12, f"{name}: {apart / size:.2g}"


@pytest.mark.parametrize("name", CASES)
def test_loss_gradient_and_weights_are_those_of_one_process(name, folder, tmp_path):
    case, start = CASES[name](), weights(CASES[name]().module)
    alone, within = made(case, tmp_path), 2e-2 if name in ROUNDED else 1e-5
    for rank in range(2):
        both = found(folder, rank)[name]
        assert (both["seen"], alone["seen"]) == (["a piece"], ["whole"])  # weights lay in pieces while it trained
        assert both["type"] == alone["type"]  # and lie in plain modules again
        for ours, theirs in zip(both["steps"], alone["steps"], strict=True):
            assert ours == pytest.approx(theirs, rel=within)  # loss, norm of the gradient, what losses noted
    # After one step exp_avg is a tenth of the gradient.
    ours, theirs = (load_file(at / "resume/optimizer.safetensors") for at in (folder / "process 0" / name, tmp_path))
    assert sum(key.endswith("exp_avg") for key in ours) > 10
    assert_near(ours, theirs, within=within)
    for rank in range(2):
        ends = load_file(folder / f"process {rank}/{name}.safetensors")
        assert gap(ends, weights(case.module)) <= (0.3 if name in ROUNDED else 0.01) * gap(start, ends)


@pytest.mark.parametrize("name", [name for name in CASES if name != "beside"])
def test_training_costs_what_it_costs_in_one_process(name, folder, tmp_path):
    # beside was not priced, so its parts are not packed, though the whole batch would be: slower, and charged as such
    alone = made(CASES[name](), tmp_path)
    assert [found(folder, rank)[name]["flops"] for rank in range(2)] == [alone["flops"]] * 2
    assert alone["flops"] > 0


def test_a_fit_goes_on_whoever_began_it(folder, tmp_path):
    unbroken, resumed = pairs(schedule=LONG), pairs(schedule=LONG)
    ends = made(unbroken, tmp_path)["steps"]
    again = made(resumed, folder / "begun by two")["steps"]
    assert [step["loss"] for step in again] == pytest.approx([step["loss"] for step in ends[2:]], rel=1e-5)
    assert_near(weights(resumed.module), weights(unbroken.module), within=1e-4)
    assert_near(load_file(folder / "process 1/resumed.safetensors"), weights(unbroken.module), within=1e-4)
    kept = [load_file(at / "point-5.safetensors") for at in (folder / "begun by one", tmp_path)]
    assert_near(*kept, within=1e-4)
    assert "lm_head.weight" not in kept[0]  # tied, also while in pieces


def test_the_train_command(folder, tmp_path):
    train(folder, tmp_path)
    ours = folder / "dpo of two"
    assert {path.name for path in ours.iterdir()} == {path.name for path in tmp_path.iterdir()}
    ends, alone = (load_file(one / "generator/model.safetensors") for one in (ours, tmp_path))
    start = load_file(folder / "model/model.safetensors")
    assert gap(ends, alone) <= 0.01 * gap(start, alone)
    steps, others = ((one / "training_log.jsonl").read_text().count("\n") for one in (ours, tmp_path))
    assert steps == others > 3


def test_a_product_of_another_method_is_made_by_all_and_saved_once(folder):
    made_of = json.loads((folder / "dpo-delta of two/product.json").read_text())
    assert made_of["slug"] == "dpo-delta" and (folder / "dpo-delta of two/generator").is_dir()


def test_only_the_first_process_writes_and_prints(folder):
    first, second = found(folder)["left"]
    assert second == sorted(f"{name}.safetensors" for name in [*CASES, "resumed"])  # what the test itself writes
    assert set(first) == {*second, *CASES}
    told, silence = json.loads((folder / "said.json").read_text())
    assert told.count("saved to") == 2 and silence == ""


def test_what_cannot_be_done_together_is_said(folder):
    other, number = (found(folder)[name] for name in ("other items", "one number"))
    assert other.startswith("process 1 would train on") and "'items': 5" in other and "the same files" in other
    assert "gain is a single number" in number and "train this model in one process" in number


def test_nothing_is_tried_after_the_cut_and_every_shorter_length_before():
    module = language_model()
    with trials_over(module):
        assert not can_pack(module, longest=100)
    assert can_pack(module, longest=100) and tried(module) == [("packed", 128)]
    try_shorter(module)
    assert set(tried(module)) == {("packed", 64), ("packed", 128)}


@pytest.mark.parametrize(
    "items, accumulate, processes, sizes",
    [
        (8, 1, 1, [8]), (8, 4, 1, [2, 2, 2, 2]), (5, 4, 1, [2, 2, 1]),
        (8, 1, 2, [4, 4]), (8, 4, 2, [2, 2, 2, 2]), (8, 1, 3, [3, 3, 2]),
        (6, 3, 2, [2, 2, 2]),  # three parts go round twice: four, of which the last is empty
        (1, 1, 2, [1]),
    ],
)  # fmt: skip
def test_every_item_is_computed_once_and_all_processes_compute_as_often(items, accumulate, processes, sizes):
    batch = list(range(items))
    schedule = Schedule(steps=1, learning_rate=1.0, batch_size=24, accumulate=accumulate)
    assert [len(part) for part in parts_of(batch, schedule, processes=processes)] == sizes
    own = [own_parts(batch, schedule, Place(rank, processes)) for rank in range(processes)]
    assert sorted(item for parts in own for part in parts for item in part) == batch
    assert len({len(parts) for parts in own}) == 1 and len(own[0]) == -(-len(sizes) // processes)


def test_alone_there_is_nobody_to_ask(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    assert (launched(), place(), gathered("here")) == (1, Place(0, 1), ["here"])
    with joined() as here:
        assert here.first
    refuse_launched("operant compare", instead="")


def test_what_every_process_would_do_again_is_refused(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(OperantError, match="operant compare was started as 2 processes.*without the launcher, and"):
        refuse_launched("operant compare", instead="and give it --workers N")
