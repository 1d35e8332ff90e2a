"""Blocks that torchvision has no name for."""
from torch import nn


class TutorialBottleneck(nn.Module):
    """The Bottleneck of the tutorial: a Sequential of its own spelling, a biased 1x1 downsample convolution."""

    def __init__(self, in_dim, out_dim):
        super().__init__()
        self.bottlenceck = nn.Sequential(
            nn.Conv2d(in_dim, in_dim, 1, bias=False),
            nn.BatchNorm2d(in_dim),
            nn.ReLU(inplace=True),
            nn.Conv2d(in_dim, in_dim, 3, 1, 1, bias=False),
            nn.BatchNorm2d(in_dim),
            nn.ReLU(inplace=True),
            nn.Conv2d(in_dim, out_dim, 1, bias=False),
            nn.BatchNorm2d(out_dim),
        )
        self.relu = nn.ReLU(inplace=True)
        self.downsample = nn.Sequential(nn.Conv2d(in_dim, out_dim, 1, 1), nn.BatchNorm2d(out_dim))

    def forward(self, x):
        return self.relu(self.bottlenceck(x) + self.downsample(x))


TutorialBottleneck.__name__ = "Bottleneck"  # which is what it prints
