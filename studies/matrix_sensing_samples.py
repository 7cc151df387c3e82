"""Matrix sensing from finitely many measurements, and quadratic networks.

theory-lab run matrix_sensing_samples [--preset quick|full]
"""

from matrix_sensing_figures import SAMPLES

from theory_lab.core import Case, Control, Study, drops, grid
from theory_lab.theorems.matrix_sensing.claims import finite_samples as sensing
from theory_lab.theorems.matrix_sensing.claims import quadratic_network as network

SURVIVAL = [sensing.FINITE_SAMPLE_SURVIVAL]
BOUND, RATE = [sensing.ISOMETRY_BOUND], [sensing.ISOMETRY_RATE]
PRUNED, IDLE = [sensing.PRUNED_FLOOR], [sensing.IDLE_FLOOR]
POINTS = [network.SURVIVORS, network.NORMS]
NETWORK_RATE, NETWORK_FLOOR = [network.RATE], [network.FLOOR]

STANDARD = dict(d=20, k=10, eigenvalues=(2.0, 1.5, 1.0), beta=0.01)
SPECTRA = [(1.0, 1.0, 1.0), (2.0, 1.0), (1.5,), (2.5, 2.0, 1.5, 1.0)]
DIGITS = (1.771, 1.619, 1.403, 1.0)
"""The four leading eigenvalues of the digits' covariance over the fourth: Gaussian measurements
are rotation invariant, so this is all that real axes would bring."""

BOUNDARY = {0.04: [1300, 1700], 0.08: [500, 650], 0.12: [320, 420], 0.16: [320, 420]}
"""lam: numbers of measurements within a factor of 2 above the least that meets the conditions."""

RATE_STEPS = {
    (2.0, 1.0): [0.01, 0.02, 0.025, 0.035, 0.036],
    (1.0, 1.0): [0.02, 0.04, 0.058],
    (1.5,): [0.02, 0.03, 0.05],
    DIGITS: [0.01, 0.02, 0.027],
}
"""Steps on both sides of the best one, for each spectrum."""


def survival(full: bool) -> list[Case]:
    """The map over (n, lam), cases just inside the boundary in n, and real axes."""
    noisy = dict(sigma=0.5, claims=SURVIVAL, **STANDARD)
    lams = [0.02, 0.04, 0.08, 0.12, 0.16, 0.2, 0.24] if full else [0.04, 0.08, 0.12, 0.16, 0.2]
    counts = [200, 400, 800, 1600, 3200] + ([6400, 12800] if full else [])
    cases = grid(n=counts, lam=lams, replicates=8 if full else 2, **noisy)
    for lam, edge in BOUNDARY.items():
        cases += grid(n=edge, lam=lam, replicates=12 if full else 4, **noisy)
    cases += grid(n=[90, 120], lam=0.14, **(noisy | dict(sigma=0.3, replicates=4)))
    if full:
        real = dict(d=64, k=12, data="digits", components=[4, 8], lam=0.15, beta=0.01)
        cases += grid(claims=SURVIVAL, n=[2500, 5000], sigma=0.3, **real)
    return cases


def isometry(full: bool) -> list[Case]:
    """Bounds from few to many measurements; rates over a thousandfold range of n."""
    replicates = 8 if full else 2
    bound = dict(claims=BOUND, replicates=replicates)
    cases = grid(d=20, ranks=(1, 2, 4, 8, 20), n=[500, 1000, 2000, 4000, 16000], **bound)
    cases += grid(d=12, ranks=(1, 2, 4, 12), n=[250, 1000, 4000], **bound)
    cases += grid(d=30, ranks=(1, 4, 30), n=[1000, 4000], **bound)
    ladder = {"n": [2500, 10000, 40000, 160000, 640000, 2560000]}
    rate = dict(claims=RATE, over=ladder, replicates=replicates + 1)
    cases += grid(d=20, ranks=(1, 2, 4, 8, 20), **rate)
    cases += grid(d=12, ranks=(1, 2, 4, 12), **rate)
    cases += grid(d=16, ranks=(1, 3, 8), **rate)
    return cases


def floors(full: bool) -> list[Case]:
    """Both floors against n, and over the number of columns."""
    size = dict(d=12, sigma=0.5, sets=60, noises=16, replicates=4 if full else 1)
    main = dict(eigenvalues=(2.0, 1.5), **size)
    spectra = [(1.0,), (1.5, 1.0, 1.0), DIGITS]
    counts = [400, 800, 1600, 3200, 6400, 12800]
    cases = grid(claims=PRUNED, n=counts, columns=8, **main)
    cases += grid(claims=PRUNED, n=[1500, 6000], columns=8, eigenvalues=spectra, **size)
    cases += grid(claims=IDLE, n=counts, columns=8, **main)
    cases += grid(claims=IDLE, n=1600, columns=[3, 4, 6, 12], **main)
    cases += grid(claims=IDLE, n=3000, columns=6, eigenvalues=DIGITS, **size)
    return cases


def networks(full: bool) -> list[Case]:
    """Stationary points, rates against the step, and floors of quadratic networks."""
    real = dict(d=64, k=8, data="digits", components=4, lam=0.15, beta=0.01)
    cases = grid(claims=POINTS, d=15, k=10, eigenvalues=SPECTRA, lam=[0.1, 0.2], beta=[0.005, 0.01])
    cases += grid(claims=POINTS, d=20, k=20, eigenvalues=(1.0, 1.0), lam=[0.3, 0.39], beta=0.01)
    cases += grid(claims=POINTS, runs=2, replicates=4 if full else 1, **real)
    rates = dict(d=12, k=6, lam=0.1, beta=0.01, start=["generic", "pruned"])
    for eigenvalues, steps in RATE_STEPS.items():
        cases += grid(claims=NETWORK_RATE, eigenvalues=eigenvalues, step=steps, **rates)
    floor = dict(d=10, columns=6, sigma=0.5, sets=80, noises=16, claims=NETWORK_FLOOR)
    floor |= dict(replicates=4 if full else 1)
    cases += grid(eigenvalues=[(1.0,), (1.5, 1.0)], n=[1500, 3000, 6000], **floor)
    cases += grid(eigenvalues=[(1.0, 1.0, 1.0), (2.0,)], n=[3000, 6000], **floor)
    return cases


def cases(preset: str) -> list[Case]:
    full = preset == "full"
    return survival(full) + isometry(full) + floors(full) + networks(full)


def controls(preset: str) -> list[Control]:
    """Every condition broken alone."""
    return survival_controls() + measurement_controls() + network_controls()


def survival_controls() -> list[Control]:
    """A saddle; fewer columns than the rank; lam too large; n too small for lam."""
    far = dict(d=20, eigenvalues=(2.0, 1.5, 1.0), beta=0.01, n=20_000, sigma=0.1)
    far |= dict(claims=SURVIVAL, replicates=2)
    few = dict(n=[100, 130], sigma=0.5, claims=SURVIVAL, replicates=2)
    return [
        drops("second-order stationary point", k=10, lam=0.1, scale=0.0, **far),
        drops("a column is zero", k=2, lam=0.1, **far),
        drops(
            "|E| + max(lam/(2·sqrt(beta)), phi(4·beta)) < mu_r", k=10, lam=0.3, scale=0.01, **far
        ),
        drops("|E| < phi(s) for all s >= 4·beta, lam > 0", lam=0.05, **few, **STANDARD),
    ]


def measurement_controls() -> list[Control]:
    """Too few measurements for the width, the rate and the floors."""
    isometry = dict(d=20, ranks=(1, 4, 20))
    ladder = {"n": [10, 20, 40, 80, 160, 320]}
    floor = dict(d=12, eigenvalues=(2.0, 1.5), columns=8, sigma=0.5, sets=20, noises=8)
    return [
        drops("measurements outnumber the squared width", claims=BOUND, n=[40, 80], **isometry),
        drops(
            "measurements ten times the squared width",
            claims=RATE, over=ladder, replicates=2, **isometry,
        ),
        drops("every run keeps exactly r columns", claims=PRUNED, n=800, lam=0.002, **floor),
        drops("two measurements for every unknown", claims=IDLE, n=[40, 60], **floor),
    ]  # fmt: skip


def network_controls() -> list[Control]:
    """A saddle; lam, beta and the step too large; lam so large that nothing is kept."""
    points = dict(d=15, k=10, eigenvalues=(1.5, 1.0))
    rate = dict(d=12, k=6, lam=0.1, beta=0.01, eigenvalues=(2.0, 1.0), claims=NETWORK_RATE)
    floor = dict(d=8, eigenvalues=(1.5, 1.0), columns=5, sigma=0.5, sets=20, noises=8)
    long = [network.SURVIVORS]
    return [
        drops(
            "second-order stationary point",
            claims=POINTS, lam=0.1, beta=0.01, scale=0.0, **points,
        ),
        drops(
            "0 < lam < 4·sqrt(beta)·mu_r", claims=POINTS, lam=1.2, beta=0.01, scale=0.01, **points
        ),
        drops("phi(4·beta) < mu_r at lam/2", claims=long, lam=0.05, beta=0.3, **points),
        drops("stable step", step=[0.042, 0.045], **rate),
        drops(
            "every run keeps exactly r columns", claims=NETWORK_FLOOR, n=4000, lam=8.0, **floor
        ),
        drops(
            "twenty inputs for every unknown", claims=NETWORK_FLOOR, n=[150, 200], d=10, columns=6,
            sigma=0.2, sets=80, noises=16, eigenvalues=(1.0,),
        ),
    ]  # fmt: skip


STUDY = Study(
    "matrix_sensing_samples",
    title="Matrix sensing from finite samples, and quadratic networks",
    claims=[*sensing.CLAIMS, *network.CLAIMS],
    cases=cases,
    controls=controls,
    figures=SAMPLES,
)

if __name__ == "__main__":
    STUDY.main()
