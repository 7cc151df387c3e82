"""A torch model as the paths of its channels: which weights feed which, what follows what.

The model's forward pass is traced symbolically (torch.fx). BatchNorm, ReLU, pooling, dropout and
reshaping pass channels on; convolutions and linear layers are edges; sums are skips.
"""

from __future__ import annotations

import operator
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, fx, nn

from theory_lab.core import UsageError
from theory_lab.networks.compatibility import taking
from theory_lab.networks.models.click import ColumnEmbeddings
from theory_lab.networks.modes import mode
from theory_lab.networks.prunable import LAYERS
from theory_lab.numerics.paths import Edge, Graph, Skip

_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
_POOLS = (nn.MaxPool1d, nn.MaxPool2d, nn.AvgPool1d, nn.AvgPool2d, nn.AdaptiveAvgPool1d,
          nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d)  # fmt: skip
_KEEPING = (*_POOLS, nn.ReLU, nn.Dropout, nn.Dropout2d, nn.Identity, nn.Flatten)
_PASSING = (*_NORMS, *_KEEPING)
_ADDS: frozenset[Any] = frozenset({operator.add, operator.iadd, torch.add, "add", "add_"})
_RELUS: frozenset[Any] = frozenset({torch.relu, nn.functional.relu, "relu", "relu_"})
_POOLINGS: frozenset[Any] = frozenset(
    {nn.functional.max_pool2d, nn.functional.avg_pool2d, nn.functional.adaptive_avg_pool2d}
)
_RESHAPES: frozenset[Any] = frozenset({torch.flatten, "flatten", "view", "reshape", "contiguous"})
_PASSING_CALLS = _RELUS | _POOLINGS | _RESHAPES | {nn.functional.dropout}


@dataclass(frozen=True)
class NetworkGraph:
    """The paths of a model: `names[i]` is the parameter that is edge i of `graph`, so that its mask
    has that parameter's shape."""

    graph: Graph
    names: tuple[str, ...]


class InnerChannels(NamedTuple):
    """Channels that only three modules know (by name): `conv` makes them, `norm` normalises them
    ("": nothing does), `following` is all that reads them."""

    conv: str
    norm: str
    following: str


def of(model: nn.Module, example: Tensor) -> NetworkGraph:
    """The paths of `model` for inputs of the shape of `example` (b, …).

    Units are channels, or neurons of linear layers; the first group are the channels of the image,
    the features if the model begins by flattening, or the embedded columns of a table. One forward
    pass in evaluation mode; the model is left as it was. UsageError for a forward pass that cannot
    be traced, and for operations that mix channels in other ways (grouped convolutions, products).
    """
    walk = _Walk(trace(model))
    with torch.no_grad(), mode(model, training=False), taking(model, example):
        walk.run(example)
    return walk.described()


def inner_channels(model: nn.Module) -> list[InnerChannels]:
    """Convolutions followed by BatchNorm, ReLU (then perhaps pooling) and exactly one convolution.

    All called once, both convolutions ungrouped: removing such a channel touches these three modules
    alone. In a residual network these are the channels inside a block; not the stream, which
    additions tie together.
    """
    traced = trace(model)
    modules = dict(traced.named_modules())
    found = [
        channels
        for node in traced.graph.nodes
        if _is_plain_convolution(node, modules)
        and (channels := _inner_channels_after(node, modules))
    ]
    return _of_modules_called_once(found, traced)


def removable_channels(model: nn.Module) -> list[InnerChannels]:
    """`inner_channels`; where there are none, as without BatchNorm, `plain_channels`."""
    return inner_channels(model) or plain_channels(model)


def plain_channels(model: nn.Module) -> list[InnerChannels]:
    """Outputs of a layer that reach one other layer alone, ungrouped, through ReLU and pooling; both
    called once."""
    traced = trace(model)
    modules = dict(traced.named_modules())
    found = []
    for node in traced.graph.nodes:
        reader = _only_user(node) if isinstance(_module(node, modules), LAYERS) else None
        while reader is not None and _is(reader, modules, _KEEPING, _RELUS):
            reader = _only_user(reader)
        layer = _module(reader, modules) if reader is not None else None
        if isinstance(layer, LAYERS) and getattr(layer, "groups", 1) == 1:
            found.append(InnerChannels(str(node.target), "", str(reader.target)))  # type: ignore[union-attr]
    return _of_modules_called_once(found, traced)


def trace(model: nn.Module) -> fx.GraphModule:
    """The forward pass as a graph of torch's own layers; UsageError where it cannot be traced."""
    try:
        return fx.GraphModule(model, _Tracer().trace(model))
    except (fx.proxy.TraceError, TypeError, ValueError) as error:
        raise UsageError(
            f"The forward pass of {type(model).__name__} cannot be traced ({error}); write it"
            " without control flow that depends on the data."
        ) from error


class _Tracer(fx.Tracer):
    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        """Layers as they are, under a parametrisation too: its class is not one of torch.nn's."""
        return isinstance(m, (*LAYERS, *_PASSING, ColumnEmbeddings)) or super().is_leaf_module(
            m, module_qualified_name
        )


class _Place(NamedTuple):
    """Whose channels a value holds: a group of units, each of `area` entries once flattened."""

    group: int
    area: int = 1


class _Walk(fx.Interpreter):
    """Runs the traced model on an example and notes groups, edges and skips on the way."""

    def __init__(self, traced: fx.GraphModule) -> None:
        super().__init__(traced)
        self.extra_traceback = False  # it would be appended to our sentences
        self._modules = dict(traced.named_modules())
        self._units: list[int] = []
        self._edges: list[Edge] = []
        self._skips: list[Skip] = []
        self._names: list[str] = []
        self._places: dict[fx.Node, _Place] = {}
        self._output: _Place | None = None

    def described(self) -> NetworkGraph:
        if self._output is None or self._output.group != len(self._units) - 1:
            raise UsageError("The model's output must be one tensor that its last layer computes.")
        graph = Graph(tuple(self._units), tuple(self._edges), tuple(self._skips))
        return NetworkGraph(graph, tuple(self._names))

    def run_node(self, n: fx.Node) -> Any:
        result = super().run_node(n)
        if n.op == "output":
            self._output = self._places.get(n.args[0])  # type: ignore[arg-type]
        elif isinstance(result, Tensor) and n.op != "get_attr":
            self._places[n] = self._place(n, result)
        return result

    def _place(self, node: fx.Node, result: Tensor) -> _Place:
        if node.op == "placeholder":
            return self._group(result.shape[1])
        sources = [self._places[arg] for arg in node.all_input_nodes if arg in self._places]
        module = _module(node, self._modules)
        if not sources:  # a constant
            raise _unknown(node)
        if isinstance(module, ColumnEmbeddings):
            self._units[0] = result.shape[1]
            return sources[0]
        if isinstance(module, LAYERS):
            return self._layer(node, module, sources[0])
        if node.target in _ADDS and len({(self._units[s.group], s.area) for s in sources}) == 1:
            return self._sum(sources)
        if isinstance(module, _PASSING) or node.target in _PASSING_CALLS:
            return self._passed(node, sources[0], result)
        raise _unknown(node)

    def _layer(self, node: fx.Node, layer: nn.Module, source: _Place) -> _Place:
        weight: Tensor = layer.weight  # type: ignore[assignment]  # parametrised, no Parameter
        name = f"{node.target}.weight"
        units = self._units[source.group] * source.area
        if weight.shape[1] != units or name in self._names:  # grouped, of another axis, or shared
            raise _unknown(node)
        target = self._group(weight.shape[0])
        self._edges.append(Edge(source.group, target.group, source.area, tuple(weight.shape[2:])))
        self._names.append(name)
        return target

    def _sum(self, sources: list[_Place]) -> _Place:
        total = self._group(self._units[sources[0].group])
        self._skips += [Skip(source.group, total.group) for source in sources]
        return total._replace(area=sources[0].area)

    def _passed(self, node: fx.Node, source: _Place, result: Tensor) -> _Place:
        """Maps keep their channels on axis 1; flattened, each channel is `area` entries of it."""
        units = self._units[source.group]
        if result.ndim > 2 and result.shape[1] == units:
            return source
        if result.ndim != 2 or result.shape[1] % units:
            raise _unknown(node)
        if source.group == 0 and not self._edges:  # the inputs are the features, not the channels
            self._units[0] = result.shape[1]
            return source
        return source._replace(area=result.shape[1] // units)

    def _group(self, units: int) -> _Place:
        self._units.append(units)
        return _Place(len(self._units) - 1)


def _unknown(node: fx.Node) -> UsageError:
    return UsageError(
        f"{_named(node)} mixes channels in a way that paths do not"
        " know; they know ungrouped convolutions and linear layers used once, sums, BatchNorm, ReLU,"
        " pooling and flattening."
    )


def _named(node: fx.Node) -> str:
    if node.op == "call_module":
        return f"The layer {node.target}"
    return getattr(node.target, "__name__", str(node.target))


def _module(node: fx.Node, modules: dict[str, nn.Module]) -> nn.Module | None:
    return modules[str(node.target)] if node.op == "call_module" else None


def _inner_channels_after(conv: fx.Node, modules: dict[str, nn.Module]) -> InnerChannels | None:
    norm = _only_user(conv)
    if norm is None or not isinstance(_module(norm, modules), nn.BatchNorm2d):
        return None
    relu = _only_user(norm)
    if relu is None or not _is(relu, modules, nn.ReLU, _RELUS):
        return None
    following = _only_user(relu)
    while following is not None and _is(following, modules, _POOLS, _POOLINGS):
        following = _only_user(following)
    if following is None or not _is_plain_convolution(following, modules):
        return None
    return InnerChannels(str(conv.target), str(norm.target), str(following.target))


def _of_modules_called_once(
    found: list[InnerChannels], traced: fx.GraphModule
) -> list[InnerChannels]:
    """Those of which no module acts on other channels elsewhere."""
    calls = Counter(node.target for node in traced.graph.nodes if node.op == "call_module")
    return [channels for channels in found if max(calls[name] for name in channels) == 1]


def _is_plain_convolution(node: fx.Node, modules: dict[str, nn.Module]) -> bool:
    module = _module(node, modules)
    return isinstance(module, nn.Conv2d) and module.groups == 1


def _is(
    node: fx.Node, modules: dict[str, nn.Module], kinds: Any, calls: frozenset[Callable[..., Any]]
) -> bool:
    return isinstance(_module(node, modules), kinds) or node.target in calls


def _only_user(node: fx.Node) -> fx.Node | None:
    return next(iter(node.users)) if len(node.users) == 1 else None
