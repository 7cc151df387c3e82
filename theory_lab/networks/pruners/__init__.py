"""Pruners on one protocol: see `base.Pruner`."""

from theory_lab.networks.pruners.base import Pruner

__all__ = ["Pruner"]
