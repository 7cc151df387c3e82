"""Pruners on one protocol: see `base.Pruner`."""

from theory_lab.networks.pruners.base import Pruner
from theory_lab.networks.pruners.magnitude import GradualMagnitude
from theory_lab.networks.pruners.rpg import RPG
from theory_lab.networks.pruners.saliency import LAMP, Magnitude, Random
from theory_lab.networks.pruners.snip import SNIP
from theory_lab.networks.pruners.synflow import SynFlow

__all__ = ["LAMP", "RPG", "SNIP", "GradualMagnitude", "Magnitude", "Pruner", "Random", "SynFlow"]
