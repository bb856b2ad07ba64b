"""The plain ways that the speeds are held against, as tutorials teach them.

``example`` is PyTorch's own MNIST example (pytorch/examples, mnist/main.py): its network, batch size, optimiser and
schedule, images decoded and normalised one by one; written anew from its description.
"""

import time
from collections.abc import Iterator

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from pipeline.models.networks import standardise


class SingleImages(Dataset):
    """Images one by one, through Pillow to a normalised tensor, as torchvision's MNIST gives them."""

    def __init__(self, images: np.ndarray, labels: np.ndarray) -> None:
        self.images, self.labels = images, labels

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        image = Image.fromarray(self.images[index])
        tensor = torch.from_numpy(np.array(image)).unsqueeze(0).float().div(255)
        return standardise(tensor), int(self.labels[index])


def network() -> nn.Sequential:
    """Two 3x3 convolutions of 32 and 64 channels, max pooling, dropout, and two linear layers."""
    return nn.Sequential(
        nn.Conv2d(1, 32, 3),
        nn.ReLU(),
        nn.Conv2d(32, 64, 3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Dropout(0.25),
        nn.Flatten(),
        nn.Linear(9216, 128),
        nn.ReLU(),
        nn.Dropout(0.5),
        nn.Linear(128, 10),
    )


def example(images: np.ndarray, labels: np.ndarray) -> Iterator[tuple[nn.Module, float]]:
    """Train the example, yielding the network and the seconds spent in training after each epoch."""
    torch.manual_seed(1)
    model = network()
    optimizer = torch.optim.Adadelta(model.parameters(), lr=1.0)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, step_size=1, gamma=0.7)
    loader = DataLoader(SingleImages(images, labels), batch_size=64, shuffle=True)
    spent = 0.0
    while True:
        model.train()
        started = time.perf_counter()
        for batch, targets in loader:
            optimizer.zero_grad()
            F.cross_entropy(model(batch), targets).backward()
            optimizer.step()
        schedule.step()
        spent += time.perf_counter() - started
        yield model, spent


def images_per_second(model: nn.Module, images: np.ndarray, labels: np.ndarray, batch_size: int, steps: int) -> float:
    """Train ``model`` in float32 and contiguous layout from single images, and return the rate after two steps."""
    model.to(memory_format=torch.contiguous_format).train()  # type: ignore[call-overload]
    optimizer = torch.optim.AdamW(model.parameters())
    loader = DataLoader(SingleImages(images, labels), batch_size=batch_size, shuffle=True)
    for step, (batch, targets) in enumerate(loader):
        if step == 2:
            started = time.perf_counter()
        if step == steps + 2:
            break
        optimizer.zero_grad()
        F.cross_entropy(model(batch), targets).backward()
        optimizer.step()
    return steps * batch_size / (time.perf_counter() - started)


@torch.no_grad()
def accuracy(model: nn.Module, images: np.ndarray, labels: np.ndarray) -> float:
    """Share of images, uint8 [N, 28, 28], that ``model``, which takes normalised images, reads right."""
    model.eval()
    batches = torch.from_numpy(images).unsqueeze(1).split(1000)
    answers = torch.cat([model(standardise(batch.float() / 255)).argmax(1) for batch in batches])
    return float((answers.numpy() == labels).mean())
