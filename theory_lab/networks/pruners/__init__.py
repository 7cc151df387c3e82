"""Pruners on one protocol: see `base.Pruner`."""

from theory_lab.networks.pruners.acdc import ACDC
from theory_lab.networks.pruners.attention import SequentialAttention
from theory_lab.networks.pruners.base import Pruner
from theory_lab.networks.pruners.powerprop import PowerPropagation

__all__ = ["ACDC", "PowerPropagation", "Pruner", "SequentialAttention"]
