"""One training step by backpropagation in PyTorch, timed: forward, gradients, SGD with momentum 0.9 and weight decay 5e-4.

Arguments: CASE SAMPLES THREADS SECONDS. Prints the median of the timed steps, in seconds, and where the system tells it the most
memory that the process held, in MiB, libraries included.
"""

import statistics
import sys
import time

import torch
from torch import nn

VGG16 = [64, "64P", 128, "128P", 256, 256, "256P", 512, 512, "512P", 512, 512, "512P"]
CASES = {
    "mlp512": ((784,), [], [512, 512, 10]),
    "mlp1000x4": ((784,), [], [1000, 1000, 1000, 1000, 10]),
    "mlp1024": ((1024,), [], [1024, 1024, 10]),
    "minicnn": ((3, 32, 32), ["64P", "64P"], [10]),
    "vgg16": ((3, 32, 32), VGG16, [4096, 4096, 10]),
}


def network(shape, convolutions, widths):
    layers, channels, side = [], shape[0], shape[-1]
    for convolution in convolutions:
        pooled = str(convolution).endswith("P")
        outputs = int(str(convolution).rstrip("P"))
        layers.append(nn.Conv2d(channels, outputs, 3, padding=1))
        if pooled:
            layers.append(nn.MaxPool2d(2))
            side //= 2
        layers.append(nn.ReLU(inplace=True))
        channels = outputs
    if convolutions:
        layers.append(nn.Flatten())
        channels *= side * side
    for width in widths:
        layers += [nn.Linear(channels, width), nn.ReLU(inplace=True)]
        channels = width
    return nn.Sequential(*layers[:-1])


def main():
    case, samples, threads, seconds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
    torch.set_num_threads(threads)
    shape, convolutions, widths = CASES[case]
    model, x = network(shape, convolutions, widths), torch.randn(samples, *shape)
    if convolutions:
        model, x = model.to(memory_format=torch.channels_last), x.to(memory_format=torch.channels_last)
    labels = torch.arange(samples) % widths[-1]
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9, weight_decay=5e-4)

    def step():
        optimizer.zero_grad(set_to_none=True)
        nn.functional.cross_entropy(model(x), labels).backward()
        optimizer.step()

    for _ in range(3):
        step()
    least, times, end = 5 if case == "vgg16" else 20, [], time.perf_counter() + seconds
    while len(times) < least or time.perf_counter() < end:
        began = time.perf_counter()
        step()
        times.append(time.perf_counter() - began)
    print(statistics.median(times), *peak_mib())


def peak_mib():
    if sys.platform != "linux":
        return []
    import resource

    return [resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024]


main()
