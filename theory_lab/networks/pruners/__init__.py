"""Pruners on one protocol: see `base.Pruner`."""

from theory_lab.networks.pruners.acdc import ACDC
from theory_lab.networks.pruners.attention import SequentialAttention
from theory_lab.networks.pruners.base import Pruner
from theory_lab.networks.pruners.channels import ChannelGroupLasso
from theory_lab.networks.pruners.fixed import FixedZeros
from theory_lab.networks.pruners.magnitude import GradualMagnitude
from theory_lab.networks.pruners.powerprop import PowerPropagation
from theory_lab.networks.pruners.rpg import RPG
from theory_lab.networks.pruners.saliency import LAMP, Magnitude, Random
from theory_lab.networks.pruners.snip import SNIP
from theory_lab.networks.pruners.synflow import SynFlow

__all__ = [
    "ACDC",
    "LAMP",
    "RPG",
    "SNIP",
    "ChannelGroupLasso",
    "FixedZeros",
    "GradualMagnitude",
    "Magnitude",
    "PowerPropagation",
    "Pruner",
    "Random",
    "SequentialAttention",
    "SynFlow",
]
