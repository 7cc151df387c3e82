"""A finished model in other forms: dense, with channels removed, in blocks, in a file."""

from theory_lab.networks.export.block_sparse import BlockSparse, block_sparse
from theory_lab.networks.export.channels import dead_channels, remove_channels
from theory_lab.networks.export.files import Architecture, load, save
from theory_lab.networks.export.plain import dense
from theory_lab.networks.export.speed import SpeedUp, speed_up

__all__ = [
    "Architecture",
    "BlockSparse",
    "SpeedUp",
    "block_sparse",
    "dead_channels",
    "dense",
    "load",
    "remove_channels",
    "save",
    "speed_up",
]
