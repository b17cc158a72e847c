"""The `reviews` task: who sees what, and annotators who err and like length exactly as much as they say."""

import math
import time
from dataclasses import replace

import numpy as np
import pytest

from operant.domains.text.tasks.reviews import Knobs, Reviews
from operant.domains.text.tasks.reviews.gold import gold
from operant.domains.text.tasks.reviews.grammar import Request, Style
from operant.errors import NotApplicable, UnknownName
from operant.meter import metered
from operant.schema import Answer, Feedback, Task

MANY = Knobs(pairs=3000)


def request(pair):
    return Request(pair.prompt.columns["item"], pair.prompt.columns["facts"], pair.prompt.columns["aspects"])


def gaps(pairs, name):
    """[pairs] gold of the chosen answer minus gold of the rejected one."""
    return np.array([gold(p.chosen.value, request(p))[name] - gold(p.rejected.value, request(p))[name] for p in pairs])


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def noise(pairs, utility):
    """Wrong labels against the Bradley-Terry rate, in standard deviations: each is wrong with sigmoid(-|gap|)."""
    gap = utility[utility != 0]
    rate = sigmoid(-np.abs(gap))
    return ((gap < 0).sum() - rate.sum()) / math.sqrt((rate * (1 - rate)).sum()), (gap < 0).mean()


def test_labels_are_wrong_at_the_rate_of_their_sharpness():
    pairs = Reviews(knobs=MANY).pairs("train")
    deviations, share = noise(pairs, MANY.sharpness * gaps(pairs, "quality") + MANY.length_bias * gaps(pairs, "words"))
    assert abs(deviations) < 4 and 0.1 < share < 0.35
    sharp = replace(MANY, sharpness=6.0)
    pairs = Reviews(knobs=sharp).pairs("train")
    deviations, sharper = noise(pairs, 6.0 * gaps(pairs, "quality") + sharp.length_bias * gaps(pairs, "words"))
    assert abs(deviations) < 4 and sharper < share / 2


@pytest.mark.parametrize("attribute", ["sentiment", "formality"])
def test_pairs_about_one_attribute_follow_it_alone(attribute):
    pairs = Reviews(knobs=MANY).pairs("train", attribute=attribute)
    deviations, share = noise(pairs, MANY.attribute_sharpness * gaps(pairs, attribute))
    assert abs(deviations) < 4 and 0.05 < share < 0.35
    assert pairs != Reviews(knobs=MANY).pairs("train")


@pytest.mark.parametrize("bias, low, high", [(0.0, -4, 4), (0.05, 4, math.inf), (-0.05, -math.inf, -4)])
def test_length_is_liked_as_much_as_the_knob_says(bias, low, high):
    # What the truth leaves over: sum of (1 - P(chosen | quality)) * words more, over its deviation at no bias.
    pairs = Reviews(knobs=replace(MANY, length_bias=bias)).pairs("train")
    longer, truth = gaps(pairs, "words"), sigmoid(MANY.sharpness * gaps(pairs, "quality"))
    score = ((1 - truth) * longer).sum() / math.sqrt((truth * (1 - truth) * longer**2).sum())
    assert low < score < high


@pytest.mark.parametrize("conflict, low, high", [(0.0, -0.06, 0.06), (0.5, -0.6, -0.2), (1.0, -0.8, -0.4)])
def test_formal_writers_praise_less_as_the_knob_says(conflict, low, high):
    task = Reviews(knobs=replace(MANY, style=replace(Style(), conflict=conflict)))
    found = [gold(answer.value, request(p)) for p in task.pairs("train") for answer in (p.chosen, p.rejected)]
    sentiment, formality = ([values[name] for values in found] for name in ("sentiment", "formality"))
    assert low < np.corrcoef(sentiment, formality)[0, 1] < high  # 6,000 reviews: deviation 0.013


def test_ask_is_the_same_annotator_and_costs_one_label_each():
    task = Reviews()
    pairs = task.pairs("valid")
    prompts, left, right = [p.prompt for p in pairs], [p.chosen for p in pairs], [p.rejected for p in pairs]
    with metered() as cost:
        verdicts = task.ask(prompts, left, right)
    assert cost.labels == len(pairs) == Knobs().valid_pairs and set(verdicts) == {0.0, 1.0}
    assert task.ask(prompts, left, right) == verdicts  # asked again, he says the same
    assert Reviews(seed=1).ask(prompts, left, right) != verdicts


def test_ask_errs_at_the_same_rate():
    task = Reviews(knobs=MANY)
    pairs = task.pairs("train")
    # Sides in the order of the alphabet, so that which one is left tells nothing.
    sides = [sorted((p.chosen, p.rejected), key=lambda answer: answer.value) for p in pairs]
    verdicts = task.ask([p.prompt for p in pairs], [one for one, _ in sides], [two for _, two in sides])
    asked = [
        replace(p, chosen=one if win else two, rejected=two if win else one)
        for p, (one, two), win in zip(pairs, sides, verdicts, strict=True)
    ]
    utility = MANY.sharpness * gaps(asked, "quality") + MANY.length_bias * gaps(asked, "words")
    assert abs(noise(asked, utility)[0]) < 4


def test_test_pairs_are_judged_by_the_truth():
    pairs = Reviews().pairs("test")
    assert (gaps(pairs, "quality") >= 0).all() and len(pairs) == Knobs().test_pairs
    assert (gaps(Reviews().pairs("test", attribute="sentiment"), "sentiment") >= 0).all()


def test_test_prompts_are_shared_by_all_seeds_and_feedback_is_not():
    first, second = Reviews(seed=0), Reviews(seed=1)
    assert first.prompts("test") == second.prompts("test") and first.pairs("test") == second.pairs("test")
    assert first.pairs("train") == Reviews(seed=0).pairs("train")
    texts = [{p.chosen.value for p in task.pairs("train")} for task in (first, second)]
    assert len(texts[0] & texts[1]) < 0.02 * len(texts[0])


def test_test_prompts_differ_and_hardly_any_is_trained_on():
    # 16 items x 3 pairs of slots x 36 values x 45 pairs of aspects = 77,760 prompts, drawn independently in every
    # split: 1,000 and 100 of them meet 1.3 times on average, 1,000 and 200 meet 2.6 times, 200 and 100 0.3 times.
    met = {("train", "test"): 0, ("train", "valid"): 0, ("valid", "test"): 0}
    seeds = 5
    for seed in range(seeds):
        task = Reviews(seed=seed)
        ids = {split: {prompt.id for prompt in task.prompts(split)} for split in ("train", "valid", "test")}
        assert len(ids["test"]) == Knobs().test_prompts and len(ids["train"]) > 0.98 * Knobs().pairs
        for one, two in met:
            met[one, two] += len(ids[one] & ids[two])
    sizes = {"train": Knobs().pairs, "valid": Knobs().valid_pairs, "test": Knobs().test_prompts}
    for (one, two), count in met.items():
        expected = seeds * sizes[one] * sizes[two] / 77_760
        assert count <= expected + 4 * math.sqrt(expected)


def test_ratings_agree_with_the_verdict_and_follow_its_noise():
    pairs = Reviews(knobs=MANY).pairs("train")
    chosen, rejected = np.array([pair.ratings for pair in pairs]).T
    assert (chosen >= rejected).all() and chosen.min() >= 1 and chosen.max() <= 10
    # Felt utilities are Gumbel: the winner's has mean log(e^a + e^b) + Euler's constant, deviation pi / sqrt(6).
    both = [[utility(answer.value, request(p)) for answer in (p.chosen, p.rejected)] for p in pairs]
    mean = MANY.rating_middle + MANY.rating_slope * (np.logaddexp(*np.array(both).T) + np.euler_gamma)
    inner = (mean > 3) & (mean < 8)  # away from the ends of the scale, where ratings are cut
    deviation = MANY.rating_slope * math.pi / math.sqrt(6)
    assert abs((chosen - mean)[inner].mean()) < 4 * deviation / math.sqrt(inner.sum()) + 0.05
    assert (chosen - mean)[inner].std() == pytest.approx(math.hypot(deviation, 1 / math.sqrt(12)), rel=0.1)


def utility(text, asked):
    values = gold(text, asked)
    return MANY.sharpness * values["quality"] + MANY.length_bias * values["words"]


def test_ratings_leave_the_pairs_as_they_were():
    steep = Reviews(knobs=replace(MANY, rating_slope=2.0, rating_middle=1.0, pairs=100))
    plain = Reviews(knobs=replace(MANY, pairs=100))
    for one, two in zip(steep.pairs("train"), plain.pairs("train"), strict=True):
        assert (one.prompt, one.chosen, one.rejected) == (two.prompt, two.chosen, two.rejected)
    assert steep.pairs("train") != plain.pairs("train")
    assert all(pair.ratings is None for pair in plain.pairs("test"))


def test_strengths_are_thirds_of_the_gap_in_utility_whoever_won():
    pairs = Reviews(knobs=MANY).pairs("train")
    gap = MANY.sharpness * gaps(pairs, "quality") + MANY.length_bias * gaps(pairs, "words")
    strengths = np.array([pair.margin for pair in pairs])
    away = np.abs(np.abs(gap)[:, None] - [MANY.stronger, MANY.strongest]).min(1) > 1e-9  # of rounding at a cut
    assert (strengths == 1 + (abs(gap) >= MANY.stronger) + (abs(gap) >= MANY.strongest))[away].all()
    assert all(0.28 < (strengths == one).mean() < 0.38 for one in (1, 2, 3))
    wrong = [(gap[strengths == one] < 0).mean() for one in (1, 2, 3)]
    assert wrong[0] > 2 * wrong[1] > 4 * wrong[2] > 0  # weak preferences are often the wrong way round
    assert all(pair.margin is None for pair in Reviews().pairs("train", attribute="sentiment"))


def test_strengths_leave_the_pairs_as_they_were():
    other = Reviews(knobs=replace(MANY, stronger=0.1, strongest=0.2, pairs=100)).pairs("train")
    for one, two in zip(other, Reviews(knobs=replace(MANY, pairs=100)).pairs("train"), strict=True):
        assert replace(one, margin=None) == replace(two, margin=None)


def test_single_reviews_are_rated_by_the_annotators():
    task = Reviews(knobs=MANY)
    found = task.judged("train")
    assert len(found) == MANY.pairs and {one.rating for one in found} == set(range(1, 11))
    felt = [utility(one.answer.value, request(one)) for one in found]
    # One Gumbel deviation (1.28) beside the utility's own: the correlation is that of the two.
    expected = np.std(felt) / math.hypot(np.std(felt), math.pi / math.sqrt(6))
    assert np.corrcoef(felt, [one.rating for one in found])[0, 1] == pytest.approx(expected, abs=0.04)
    tested = {prompt.id for prompt in task.prompts("test")}
    assert not tested & {one.prompt.id for one in found}
    assert task.judged("valid") != Reviews(seed=1, knobs=MANY).judged("valid")
    assert task.judged("test") == Reviews(seed=1, knobs=MANY).judged("test")


def test_ratings_of_the_test_split_are_of_the_exact_quality():
    for one in Reviews(knobs=MANY).judged("test"):
        felt = MANY.sharpness * gold(one.answer.value, request(one))["quality"]
        assert one.rating == min(10, max(1, round(MANY.rating_middle + MANY.rating_slope * felt)))


def test_reviews_are_not_right_or_wrong():
    with pytest.raises(NotApplicable, match="reviews has no verifier"):
        Reviews().verify([], [])


def test_unknown_attributes_are_named():
    with pytest.raises(UnknownName, match="no attribute named 'sentimant'; did you mean 'sentiment'"):
        Reviews().pairs("train", attribute="sentimant")


def test_gold_measures_what_the_metrics_say_even_of_no_text():
    task = Reviews()
    prompts = task.prompts("test")[:3]
    found = task.gold(prompts, [Answer(value=""), Answer(value=None), Answer(value="\U0001f642")])
    assert list(found) == [metric.name for metric in task.metrics] and task.metrics[0].name == "quality"
    assert [score.value for score in found["malformed"]] == [1.0, 1.0, 1.0]
    assert all(score.value is not None for scores in found.values() for score in scores)


def test_identity_hangs_on_every_knob():
    whole = Reviews().identity()
    assert Reviews(seed=5).identity() == whole  # seeds are of runs, not of the task
    assert Reviews(knobs=replace(Knobs(), length_bias=0.1)).identity() != whole
    assert Reviews().resized(pairs=10, test_prompts=None).identity() != whole
    small = Reviews().resized(pairs=10, test_prompts=5)
    assert (len(small.pairs("train")), len(small.prompts("test"))) == (10, 5)
    promised = {name for part in (Feedback, Task) for name in (*part.__annotations__, *vars(part)) if name[0] != "_"}
    assert len(promised) >= 11 and promised <= set(dir(small))


def test_two_thousand_items_a_second():
    task = Reviews(knobs=replace(MANY, pairs=1000))
    started = time.process_time()
    pairs = task.pairs("train")
    assert len(pairs) / (time.process_time() - started) > 500  # 2,000 on an idle core; this one may be shared
