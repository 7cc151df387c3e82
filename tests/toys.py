"""Small studies for the tests, as text. Each test writes the one that it needs into its folder."""

WEIGHT = '''
    """A toy theory: the weight a |x|^2 + n of a vector x of n entries."""
    import os
    import time
    from typing import Annotated

    import numpy as np

    from theory_lab import Claim, Condition, Measurement, Source, Study, drops, grid, instead
    from theory_lab.core import reduce
    from theory_lab.core.checks import at_least, positive


    def draw(n: Annotated[int, at_least(1)], a: Annotated[float, positive] = 1.0, *, rng):
        return dict(a=a, x=rng.uniform(1.0, 2.0, n))


    def run(at, *, rng):
        total = 0.0
        for entry in at["x"]:
            total += at["a"] * entry * entry + 1.0
        return dict(weight=total)


    def weight(f):
        return f["a"] * np.sum(f["x"] ** 2) + f["n"]


    WEIGHT = Claim(
        "toy.weight",
        Source("a toy", "made up"),
        "The weight is a |x|^2 + n.",
        draw=draw,
        run=run,
        measure="weight",
        predict=weight,
        tolerance=1e-9,
        conditions=[Condition("a at most 2", lambda f: f["a"] <= 2)],
    )
    STUDY = Study("toy", claims=[WEIGHT], cases=grid(n=[2, 5], a=[0.5, 2.0], replicates=3))
'''

SLEEPY = '''
    """Cells of {seconds} s that draw and return random numbers."""
    import time

    from theory_lab import Claim, Source, Study, grid


    def draw(group: int, *, rng):
        return dict(x=rng.standard_normal(50))


    def run(at, *, rng):
        time.sleep({seconds})
        return dict(mean=at["x"].mean() + rng.standard_normal(20), trace=dict(x=rng.random(30)))


    MEAN = Claim(
        "sleepy.mean",
        Source("a toy", "made up"),
        "The mean is finite.",
        relation="<=",
        draw=draw,
        run=run,
        measure="mean",
        predict=lambda f: 100.0,
    )
    STUDY = Study("sleepy", claims=[MEAN], cases=grid(group=list(range({groups})), replicates=4))
'''


def sleepy(seconds: float, groups: int) -> str:
    """A study of 4 x groups cells, each of which sleeps."""
    return SLEEPY.replace("{seconds}", str(seconds)).replace("{groups}", str(groups))


def weight(*changes: tuple[str, str]) -> str:
    """The study of the weight with pieces of its text exchanged; each must be there once."""
    text = WEIGHT
    for old, new in changes:
        assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in the toy"
        text = text.replace(old, new)
    return text
