"""Whatever is spent is charged once, to the innermost open meter."""

import time
from dataclasses import fields

import pytest

from operant.meter import Cost, charge, charge_cost, metered, spent, timed


def test_the_innermost_meter_is_charged_and_it_alone():
    with metered() as outer:
        charge(labels=1, forward_flops=10)
        with metered() as inner:
            charge(labels=5)
            assert spent().labels == 5
        charge(labels=2)
        assert (outer.labels, inner.labels) == (1 + 2, 5)
        charge_cost(inner)  # passed on by hand
    assert (outer.labels, outer.forward_flops) == (3 + 5, 10)


def test_outside_any_meter_nothing_is_counted_and_nothing_breaks():
    charge(labels=1)
    assert spent() == Cost()
    with metered() as cost:
        pass
    charge(labels=1)
    assert cost == Cost()


def test_a_meter_closes_when_its_block_fails():
    with metered() as outer:
        with pytest.raises(ZeroDivisionError), metered() as inner:
            charge(requests=1)
            raise ZeroDivisionError
        charge(requests=10)
    assert (inner.requests, outer.requests) == (1, 10)


def test_what_has_no_name_cannot_be_charged():
    with metered(), pytest.raises(TypeError, match="lables"):
        charge(lables=1)


def test_spent_is_a_copy():
    with metered() as cost:
        charge(labels=1)
        before = spent()
        charge(labels=3)
        assert cost.minus(before) == Cost(labels=3)
        before.add(Cost(labels=100))
    assert cost.labels == 4


def test_sums_hold_every_field():
    names = [field.name for field in fields(Cost)]
    one = Cost(**{name: float(place + 1) for place, name in enumerate(names)})
    total = one.copy()
    total.add(one)
    assert total.to_json() == {name: 2.0 * (place + 1) for place, name in enumerate(names)}
    assert total.minus(one) == one
    assert one.flops == one.forward_flops + one.backward_flops


def test_time_and_memory_are_kept_apart():
    with timed() as measured:
        time.sleep(0.02)
    assert 0.02 <= measured.wall_s < 2 and measured.cpu_s < measured.wall_s
    assert measured.memory_mb > 10  # a Python process
