"""The grid behind gymnasium's doors."""

from gymnasium.utils.env_checker import check_env

from operant.domains.control.gym import GridEnv
from operant.domains.control.layout import Layout

LAYOUT = Layout(rows=("...", "...", "..."), start=(0, 0), goal=(2, 2))


def test_gymnasium_s_own_check_passes():
    check_env(GridEnv([LAYOUT], horizon=5), skip_render_check=True)


def test_a_seed_decides_the_layouts():
    many = [Layout(rows=LAYOUT.rows, start=(0, 0), goal=goal) for goal in ((2, 2), (1, 1), (0, 2), (2, 0))]
    env = GridEnv(many, horizon=2)

    def first(seed):
        return env.reset(seed=seed)[0].tolist()

    assert first(3) == first(3)
    assert len({str(first(seed)) for seed in range(20)}) > 1
