from itertools import combinations

from matplotlib.text import Text
from pytest import approx

from operant.compare.report import canvas, labels, plots, view


def row(method, gold, **more):
    return {"method": method, "seed": None, "status": "done", "gold": {"mean": gold, "low": gold, "high": gold}, **more}


def report(*rows, direction="up"):
    task = {"primary": "quality", "metrics": [{"name": "quality", "direction": direction, "what": ""}]}
    return {"task": task, "rows": list(rows)}


def test_best_gold_first_and_failures_last():
    rows = (row("a", 0.2), row("bad", None, status="failed"), row("b", 0.9), row("none", None))
    assert [line.name for line in view.lines(report(*rows))] == ["b", "a", "none", "bad"]
    assert [line.name for line in view.lines(report(*rows, direction="down"))] == ["a", "b", "none", "bad"]


def test_a_lost_seed_is_told():
    rows = (row("a", 0.2), row("a", 0.2, seed=0), row("a", None, seed=1, status="failed", why="NaN"))
    (line,) = view.lines(report(*rows))
    assert line.failures == ["seed 1: NaN"] and not line.bad


def test_flops_of_a_stage_are_summed():
    cost = {"training/forward_flops": {"mean": 2.0}, "training/backward_flops": {"mean": 4.0},
            "training/labels": {"mean": 100.0}, "serving/forward_flops": {"mean": 8.0}}  # fmt: skip
    (line,) = view.lines(report(row("a", 0.2, cost=cost)))
    assert line.flops("training") == 2 + 4
    assert line.flops("tuning") is None


def test_verdicts():
    found = {"verdict": "worse", "difference": -0.071, "smallest_visible": 0.038}
    assert view.verdict(found, 3) == ("worse", "by 0.071")
    nothing = found | {"verdict": "no detectable difference"}
    assert view.verdict(nothing, 3) == ("no detectable difference", "0.038 or more would have been seen")
    assert view.verdict(found | {"verdict": "not comparable", "unknown": 12}, 3) == ("not comparable", "12 unknown")


def test_a_scale_puts_its_values_between_0_and_100():
    # 0 to 10 with a tenth of room at either end: -1 to 11, so 5 is the middle and 0 a twelfth of the way
    got = view.scale([{"mean": 5, "low": 0, "high": 10}], margin=0.1)
    assert (got.low, got.high, got.first, got.last) == (-1, 11, 0, 10)
    assert got.at(5) == 50 and got.at(0) == approx(100 / 12, abs=0.01) and got.at(None) is None


def test_remark_only_where_the_intervals_leave_no_doubt():
    def point(value, gold, proxy):
        return {
            "value": value,
            "gold": {"mean": gold, "low": gold - 0.02, "high": gold + 0.02},
            "proxy": {"mean": proxy},
        }

    fell = {"knob": "n", "points": [point(1, 0.5, 0.0), point(4, 0.7, 1.0), point(16, 0.6, 2.0)]}
    assert view.remark(fell) == "Past n 4 gold falls from 0.700 to 0.600 while the proxy goes on rising."
    doubtful = {"knob": "n", "points": [point(1, 0.5, 0.0), point(4, 0.7, 1.0), point(16, 0.69, 2.0)]}
    assert view.remark(doubtful) == ""


def test_gold_and_proxy_share_the_height_of_base_and_of_the_largest_gain():
    # gold 0.5 -> 0.7, proxy 0 -> 4: base stands at 0.75 / (0.75 + 1.25), the top gain at (0.75 + 1) / 2
    paths = [
        [(0.0, {"gold": {"mean": 0.5}, "proxy": {"mean": 0.0}}), (1.0, {"gold": {"mean": 0.7}, "proxy": {"mean": 4.0}})]
    ]
    for name, base, top in (("gold", 0.5, 0.7), ("proxy", 0.0, 4.0)):
        low, high = plots._limits(paths, name, {"mean": base})
        assert (base - low) / (high - low) == approx(0.75 / 2)
        assert (top - low) / (high - low) == approx(1.75 / 2)


def test_round_places_of_a_cost_axis():
    assert [round(10**tick) for tick in plots._round_powers(0.0, 1.0)] == [1, 10]  # 1 2 5 10 would be four
    assert [round(10**tick) for tick in plots._round_powers(0.1, 0.8)] == [2, 5]
    assert plots._round_powers(0.1, 0.2) == [0.1, 0.2]  # nothing round between them


def test_names_in_a_plot_never_cover_each_other():
    with canvas.drawing("test"):
        ax = canvas.axes(360, 300)
        crowd = [labels.Named(f"method-{i}", 1.0, {"mean": 1.0}, "ink") for i in range(30)]
        ax.plot([0, 2], [0, 2])
        labels.place_labels(ax, crowd)
        boxes = [Text.get_window_extent(text) for text in ax.texts]  # without its line
    assert 2 <= len(boxes) < 30  # some found a place, and the rest were left out
    for one, two in combinations(boxes, 2):  # apart by a line of ten-pixel letters, or on either side of the point
        assert abs(one.y0 - two.y0) > 12 or one.x1 < two.x0 or two.x1 < one.x0
