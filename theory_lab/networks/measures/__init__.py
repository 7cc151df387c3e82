"""What a trained or pruned network is like: sparsity, rank, curvature, connectivity, cost."""

from theory_lab.networks.measures.costs import Cost, cost
from theory_lab.networks.measures.curvature import Eigenspace, Share, hessian_share
from theory_lab.networks.measures.curves import Bezier, Curve, bezier, straight_line
from theory_lab.networks.measures.landscape import Fit
from theory_lab.networks.measures.latencies import Latency, latencies, latency
from theory_lab.networks.measures.operations import Operations, operations, total_operations
from theory_lab.networks.measures.sparsities import (
    active_masks,
    effective_compression,
    effective_sparsity,
    layer_effective_sparsities,
    layer_sparsities,
    sparsity,
)
from theory_lab.networks.measures.spectra import Ranks, ranks
from theory_lab.networks.measures.storage import StoredBytes, stored_bytes

__all__ = [
    "Bezier",
    "Cost",
    "Curve",
    "Eigenspace",
    "Fit",
    "Latency",
    "Operations",
    "Ranks",
    "Share",
    "StoredBytes",
    "active_masks",
    "bezier",
    "cost",
    "effective_compression",
    "effective_sparsity",
    "hessian_share",
    "latencies",
    "latency",
    "layer_effective_sparsities",
    "layer_sparsities",
    "operations",
    "ranks",
    "sparsity",
    "stored_bytes",
    "straight_line",
    "total_operations",
]
