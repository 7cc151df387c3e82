"""The networks: residual ones, VGG, LeNet, multilayer perceptrons, click prediction."""

from theory_lab.networks.models.build import NETS, build
from theory_lab.networks.models.click import click_mlp
from theory_lab.networks.models.resnet import resnet, wide_resnet
from theory_lab.networks.models.small import lenet5, lenet_300_100, mlp
from theory_lab.networks.models.vgg import vgg

__all__ = [
    "NETS", "build", "click_mlp", "lenet5", "lenet_300_100", "mlp", "resnet", "vgg", "wide_resnet",
]  # fmt: skip
