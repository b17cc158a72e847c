"""Every bonus on visits that can be counted by hand."""

import numpy as np
import pytest

from operant.errors import BadValue
from operant.rewards.bonuses.counts import EpisodicCount, GlobalCount
from operant.rewards.bonuses.distilled import NoveltyDifference, RandomDistillation
from operant.rewards.bonuses.dynamics import InverseDynamics
from operant.rewards.bonuses.elliptical import Elliptical
from operant.rewards.bonuses.reached import Reached, cell_key, observation_key
from operant.rewards.bonuses.scale import RunningScale


def reached(*cells: int, ended: bool = False, size: int = 4) -> Reached:
    """One step of as many environments: a one-hot observation of where each is."""
    after = np.eye(size, dtype=np.float32)[list(cells)]
    num = len(cells)
    places = np.array([(0, cell) for cell in cells])
    return Reached(np.zeros_like(after), np.zeros(num, dtype=int), after, np.full(num, ended), places)


def seen(step: Reached) -> np.ndarray:
    return step.after


def test_global_counts_go_on_through_episodes():
    bonus = GlobalCount(cell_key)
    got = [float(bonus(reached(1, ended=True))[0]) for _ in range(4)]
    assert got == pytest.approx([1, 2**-0.5, 3**-0.5, 0.5])  # 1 / sqrt(N); .5 after four visits


def test_global_counts_are_shared_by_environments():
    assert GlobalCount(cell_key)(reached(1, 1)).tolist() == pytest.approx([2**-0.5, 2**-0.5])


def test_episodic_counts_begin_anew():
    bonus = EpisodicCount(cell_key, num=1, first_only=False)
    got = [float(bonus(reached(1, ended=last))[0]) for last in (False, True, False)]
    assert got == pytest.approx([1, 2**-0.5, 1])


def test_first_visits_are_paid_once():
    bonus = EpisodicCount(cell_key, num=2, first_only=True)
    assert bonus(reached(1, 2)).tolist() == [1, 1]
    assert bonus(reached(1, 1)).tolist() == [0, 1]


def test_in_a_single_context_both_counts_agree_in_the_first_episode():
    whole, episodic = GlobalCount(cell_key), EpisodicCount(cell_key, num=1, first_only=False)
    for cell in (0, 1, 0, 2, 0, 1):
        assert whole(reached(cell)) == episodic(reached(cell))


def test_elliptical_bonus_of_a_one_hot_feature_is_one_over_ridge_plus_visits():
    bonus = Elliptical(seen, num=1, size=4, ridge=0.1)
    got = [float(bonus(reached(2))[0]) for _ in range(3)]
    assert got == pytest.approx([1 / 0.1, 1 / 1.1, 1 / 2.1])


def test_orthogonal_features_do_not_affect_each_other():
    bonus = Elliptical(seen, num=1, size=4)
    bonus(reached(2))
    assert bonus(reached(3))[0] == pytest.approx(1 / 0.1)


def test_a_vanishing_feature_gets_nothing():
    bonus = Elliptical(lambda step: 1e-6 * step.after, num=1, size=4)
    assert bonus(reached(2))[0] == pytest.approx(1e-12 / 0.1)


def test_the_inverse_kept_up_to_date_is_the_inverse():
    rng, size = np.random.default_rng(0), 6
    drawn = rng.normal(size=(50, size))
    bonus = Elliptical(lambda step: drawn[step.cells[:, 1]], num=1, size=size, ridge=0.1)
    for place in range(50):
        bonus(reached(0)._replace(cells=np.array([[0, place]])))
    direct = np.linalg.inv(0.1 * np.eye(size) + drawn.T @ drawn)
    assert np.abs(bonus.inverse[0] - direct).max() < 1e-6


def test_after_the_end_the_first_bonus_is_the_first_again_and_only_there():
    bonus = Elliptical(seen, num=2, size=4, ridge=0.1)
    bonus(reached(2, 2)._replace(ended=np.array([True, False])))
    assert bonus(reached(2, 2)).tolist() == pytest.approx([1 / 0.1, 1 / 1.1])


def test_a_feature_that_is_not_finite_begins_anew_and_is_counted():
    broken = {"now": False}
    bonus = Elliptical(lambda step: step.after * (np.nan if broken["now"] else 1), num=1, size=4)
    bonus(reached(2))
    broken["now"] = True
    assert bonus(reached(2)).tolist() == [0]
    broken["now"] = False
    assert bonus.resets == 1
    assert bonus(reached(2))[0] == pytest.approx(1 / 0.1)


def distilled() -> RandomDistillation:
    return RandomDistillation(4, hidden=8, size=4, learning_rate=1e-2, seed=0)


def test_what_was_learnt_is_less_novel_and_the_rest_stays_so():
    net = distilled()
    before = net(reached(0, 3))
    for _ in range(200):
        net.learn(reached(0))
    after = net(reached(0, 3))
    assert after[0] < 0.1 * before[0]
    assert after[0] < 0.1 * after[1]


def test_the_target_never_learns():
    net = distilled()
    weights = [one.clone() for one in net.target.parameters()]
    net.learn(reached(0))
    assert all((one == other).all() for one, other in zip(weights, net.target.parameters(), strict=True))


def test_noveld_without_alpha_is_the_novelty_of_the_next_state():
    net = distilled()
    step = reached(1)._replace(before=reached(0).after)
    assert NoveltyDifference(net, alpha=0.0)(step) == net(step)


def test_noveld_pays_nothing_where_novelty_falls():
    net = distilled()
    one, two = reached(0), reached(1)
    less, more = sorted((one, two), key=lambda step: float(net(step)[0]))
    step = less._replace(before=more.after)
    assert NoveltyDifference(net, alpha=1.0)(step).tolist() == [0]
    back = more._replace(before=less.after)
    assert NoveltyDifference(net, alpha=0.5)(back)[0] == pytest.approx(net(more)[0] - 0.5 * net(less)[0])


def test_features_tell_actions_and_forget_what_no_action_moves():
    # the first half of the observation follows the action, the second is noise
    rng = np.random.default_rng(0)
    actions = rng.integers(0, 2, 256)
    before, noise = rng.normal(size=(256, 2)), rng.normal(size=(256, 2))
    moved = before + np.stack([2.0 * actions - 1, np.zeros(256)], axis=1)
    step = Reached(
        np.hstack([before, noise]).astype(np.float32), actions,
        np.hstack([moved, rng.normal(size=(256, 2))]).astype(np.float32), np.zeros(256, dtype=bool),
        np.zeros((256, 2), dtype=int),
    )  # fmt: skip
    net = InverseDynamics(4, 2, hidden=32, size=4, learning_rate=1e-2, seed=0)
    losses = [net.learn(step) for _ in range(150)]
    assert losses[0] > 0.6  # log 2, before anything is learnt
    assert losses[-1] < 0.1


def test_the_scale_is_the_deviation_of_all_values_so_far():
    scale, first, second = RunningScale(), np.array([1.0, 3.0]), np.array([5.0, 7.0, 8.0])
    scale(first)
    kept = second.copy()
    got = scale(second)
    both = np.concatenate([first, second])
    assert scale.deviation == pytest.approx(both.std())
    assert got == pytest.approx(second / both.std())
    assert (second == kept).all()  # the caller's values stay


def test_a_scale_of_equal_values_divides_by_one():
    assert RunningScale()(np.array([2.0, 2.0])).tolist() == [2, 2]


def test_a_scaled_bonus_is_never_negative():
    assert (RunningScale()(np.array([0.0, 0.0, 9.0])) >= 0).all()


def test_observations_that_differ_by_rounding_are_one_state():
    one = reached(1)
    other = one._replace(after=one.after + 1e-5)
    far = one._replace(after=one.after + 1e-2)
    assert observation_key(one) == observation_key(other) != observation_key(far)


@pytest.mark.parametrize("made", [lambda: Elliptical(seen, num=1, size=2, ridge=0.0),
                                  lambda: NoveltyDifference(distilled(), alpha=-1.0)])  # fmt: skip
def test_settings_out_of_range_are_refused(made):
    with pytest.raises(BadValue):
        made()
