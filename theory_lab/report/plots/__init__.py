"""Figures that a study declares: what is drawn from which records, with the theory's line.

A study says which experiment, which parameters and which bound; nothing is computed there. Values
are looked up by name in a record's parameters, facts, results and trace; matplotlib is imported
only when something is drawn.
"""

from theory_lab.report.plots.beside import Level, Mark, Published, Reference
from theory_lab.report.plots.compare import PredictedMeasured
from theory_lab.report.plots.contours import Contours
from theory_lab.report.plots.curves import Curves, Geometric, Series
from theory_lab.report.plots.declare import Figure
from theory_lab.report.plots.distributions import Histogram
from theory_lab.report.plots.maps import Boundary, HeatMap
from theory_lab.report.plots.material import Material, NothingToDraw
from theory_lab.report.plots.plane import Plane, Way
from theory_lab.report.plots.quantities import SHARES, entry, hits, share_above, trace

__all__ = [
    "SHARES", "Boundary", "Contours", "Curves", "Figure", "Geometric", "HeatMap", "Histogram", "Level",
    "Mark", "Material", "NothingToDraw", "Plane", "PredictedMeasured", "Published", "Reference",
    "Series", "Way", "entry", "hits", "share_above", "trace",
]  # fmt: skip
