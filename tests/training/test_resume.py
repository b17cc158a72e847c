"""A fit that is broken off and started again ends as an unbroken one, bit by bit, its cost included."""

import pytest
import torch
from safetensors.torch import load_file

from models.architectures import PAD, random_rows, tiny
from operant.engine.logps import answer_logps
from operant.engine.policy import LanguageModel
from operant.errors import OperantError
from operant.meter import metered
from operant.training import checkpoint
from operant.training.fit import fit
from operant.training.update import Schedule

ROWS = [row for row in random_rows(24) if row.answer]
SCHEDULE = Schedule(steps=12, learning_rate=1e-2, batch_size=4, accumulate=2, points=4, save_every=3, weight_decay=0.01)


class Killed(BaseException):
    """Not an Exception, as a signal is not: nothing may catch it on the way."""


def train(directory, *, tied=True, kill_at=None, schedule=SCHEDULE, rows=ROWS):
    """(weights, losses, checkpoints, cost) of a fit from the same start; killed in the middle of step `kill_at`."""
    module = LanguageModel(*tiny("llama", tied=tied)).snapshot().module
    calls = 0

    def loss(part, whole):
        nonlocal calls
        calls += 1
        if kill_at is not None and calls == 2 * kill_at:
            raise Killed
        return -answer_logps(module, part, pad=PAD).sums

    with metered() as cost:
        fitted = fit(module, rows, loss, schedule, directory)
    return module.state_dict(), fitted.losses, fitted.checkpoints, cost.to_json(), calls


def assert_same(ours, theirs):
    for name, value in ours[0].items():
        assert torch.equal(value, theirs[0][name]), name
    assert ours[1] == theirs[1] and len(ours[1]) == 12
    assert list(ours[2]) == list(theirs[2]) == [3, 6, 9, 12]
    for step, path in ours[2].items():
        other = load_file(theirs[2][step])
        assert all(torch.equal(value, other[name]) for name, value in load_file(path).items())
    assert ours[3] == theirs[3]


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("kill_at", [1, 3, 4, 8, 12])
def test_killed_in_a_step(kill_at, tied, tmp_path):
    unbroken = train(tmp_path / "unbroken", tied=tied)
    assert unbroken[3]["backward_flops"] > 0
    with pytest.raises(Killed):
        train(tmp_path / "broken", tied=tied, kill_at=kill_at)
    resumed = train(tmp_path / "broken", tied=tied)
    assert_same(resumed, unbroken)
    # two parts a step; a state is saved after steps 3, 6 and 9, so no more than three steps are repeated
    assert resumed[4] == 2 * (12 - (kill_at - 1) // 3 * 3)


def test_killed_again_and_again(tmp_path):
    unbroken = train(tmp_path / "unbroken")
    for kill_at in (5, 4, 5):  # calls are counted from each start: at steps 5, 7 and 11
        with pytest.raises(Killed):
            train(tmp_path / "broken", kill_at=kill_at)
    assert_same(train(tmp_path / "broken"), unbroken)


def test_killed_while_the_state_is_written(tmp_path, monkeypatch):
    unbroken = train(tmp_path / "unbroken")
    write, count = checkpoint.write_json, 0

    def killed(path, value):
        nonlocal count
        count += 1
        if count == 2:  # the state of step 6: tensors are written, the rest is not
            raise Killed
        write(path, value)

    monkeypatch.setattr(checkpoint, "write_json", killed)
    with pytest.raises(Killed):
        train(tmp_path / "broken")
    monkeypatch.undo()
    resumed = train(tmp_path / "broken")
    assert_same(resumed, unbroken)
    assert resumed[4] == 2 * (12 - 3)  # from the whole state of step 3


def test_a_finished_fit_started_again_ends_the_same(tmp_path):
    first = train(tmp_path)
    assert_same(train(tmp_path), first)


def test_the_state_is_safetensors_and_json_alone(tmp_path):
    train(tmp_path, tied=True)
    files = {path.name for path in (tmp_path / "resume").iterdir()}
    assert files == {"model.safetensors", "optimizer.safetensors", "state.json"}
    assert "lm_head.weight" not in load_file(tmp_path / "resume" / "model.safetensors")  # tied: stored once


def test_a_state_of_another_fit_is_refused(tmp_path):
    with pytest.raises(Killed):
        train(tmp_path, kill_at=8)
    longer = Schedule(steps=20, learning_rate=1e-2, batch_size=4, accumulate=2, save_every=3)
    with pytest.raises(OperantError, match="resume is of another fit.*Delete it first"):
        train(tmp_path, schedule=longer)
    with pytest.raises(OperantError, match="resume is of another fit"):
        train(tmp_path, rows=ROWS[1:])


def test_without_a_state_it_starts_again(tmp_path):
    unbroken = train(tmp_path / "unbroken", schedule=Schedule(steps=4, learning_rate=1e-2, batch_size=4, accumulate=2))
    assert not (tmp_path / "unbroken" / "resume").exists()
    assert unbroken[4] == 8
