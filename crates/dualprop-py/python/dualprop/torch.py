"""The same networks in PyTorch: ``to_torch`` and ``from_torch``.

PyTorch's images are (n, channels, height, width), those of ``Network`` (n, height, width, channels); kernels, and the order in which
an image is flattened, are translated both ways.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ._core import Network

try:
    import torch
    from torch import nn
except ModuleNotFoundError as _error:
    raise ImportError("dualprop.torch translates to PyTorch, which is not installed: pip install torch") from _error

__all__ = ["from_torch", "to_torch"]

Shape = tuple[int, int, int]

#: What an activation is in PyTorch, and how it is recognised there.
_ACTIVATIONS: dict[str, Any] = {
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "hard_sigmoid": lambda: nn.Hardtanh(0.0, 1.0),
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
    "identity": nn.Identity,
}


def to_torch(network: Network) -> nn.Sequential:
    """A module that computes what ``network.predict`` does, with copies of its weights.

    Parameters
    ----------
    network : Network

    Returns
    -------
    torch.nn.Sequential
        For inputs (n, inputs), or (n, channels, height, width) of an image: as ``network.inputs`` makes them, channels first. Feedback
        kernels and preprocessing are not part of it.

    Examples
    --------
    >>> import dualprop, numpy as np, torch
    >>> from dualprop.torch import to_torch
    >>> network = dualprop.Network((6, 6, 2), ["conv 4 pool", 3])
    >>> x = np.random.default_rng(0).normal(size=(5, 6, 6, 2)).astype(np.float32)
    >>> logits = to_torch(network)(torch.from_numpy(x).permute(0, 3, 1, 2))
    >>> bool(np.allclose(logits.detach().numpy(), network.predict(x), atol=1e-5))
    True
    """
    modules: list[nn.Module] = []
    below: Shape = network.input
    is_image, pool_first = below[:2] != (1, 1), network.pool_order == "before_activation"
    for k, layer in enumerate(network.layers, 1):
        kernel, bias = network[f"kernel.{k - 1}"], network[f"bias.{k - 1}"]
        kind, *words = layer.split()
        if kind == "conv":
            modules.append(_convolution(kernel, bias))
            below = (below[0], below[1], kernel.shape[-1])
        else:
            if is_image:
                modules.append(nn.Flatten())
                is_image = False
            modules.append(_linear(kernel.reshape(*below, -1).transpose(2, 0, 1, 3).reshape(kernel.shape), bias))
            below = (1, 1, kernel.shape[-1])
        pool = [nn.MaxPool2d(2)] if "pool" in words else []
        if pool:
            below = (below[0] // 2, below[1] // 2, below[2])
        # The output is linear.
        activation = [_ACTIVATIONS[network.activation]()] if k < network.depth else []
        modules.extend(pool + activation if pool_first else activation + pool)
    return nn.Sequential(*modules)


def _convolution(kernel: npt.NDArray[Any], bias: npt.NDArray[Any]) -> nn.Conv2d:
    size, _, inputs, outputs = kernel.shape
    module = nn.Conv2d(inputs, outputs, size, padding=size // 2, dtype=_dtype(kernel))
    return _filled(module, kernel.transpose(3, 2, 0, 1), bias)


def _linear(kernel: npt.NDArray[Any], bias: npt.NDArray[Any]) -> nn.Linear:
    return _filled(nn.Linear(*kernel.shape, dtype=_dtype(kernel)), kernel.T, bias)


def _filled(module: Any, weight: npt.NDArray[Any], bias: npt.NDArray[Any]) -> Any:
    with torch.no_grad():
        module.weight.copy_(torch.from_numpy(np.ascontiguousarray(weight)))
        module.bias.copy_(torch.from_numpy(bias))
    return module


def _dtype(array: npt.NDArray[Any]) -> torch.dtype:
    return torch.float64 if array.dtype == np.float64 else torch.float32


def from_torch(module: nn.Module, input: int | Shape) -> Network:
    """The network that a module is, with copies of its weights.

    Parameters
    ----------
    module : torch.nn.Sequential
        Of ``Conv2d`` (odd square kernels, stride 1, padding that keeps the size, zeros), ``MaxPool2d(2)``, ``Flatten``, ``Linear``,
        ``Dropout`` and ``Identity`` (left out), and one kind of activation after every layer but the last: ``ReLU``,
        ``LeakyReLU(0.01)``, ``Hardtanh(0, 1)``, ``Sigmoid`` or ``Tanh``; a layer with a pool has it before its activation or after
        it, all of them alike.
    input : int or (int, int, int)
        Numbers of an input, or height, width and channels of an image.

    Returns
    -------
    Network
        In the module's type of numbers.

    Raises
    ------
    ValueError
        For a module that is no such network, with the place of what is not understood.

    Examples
    --------
    >>> import torch
    >>> from dualprop.torch import from_torch
    >>> from_torch(torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Tanh(), torch.nn.Linear(8, 3)), 4)
    Network(4, ["dense 8", "dense 3"], "tanh", dtype="float32")
    """
    below: Shape = (1, 1, input) if isinstance(input, int) else input
    maps = _maps(module)
    if not maps:
        raise ValueError("the module has no Linear or Conv2d, of which a network has at least one")
    layers, arrays = [], {}
    for k, found in enumerate(maps):
        weight, bias = (tensor.detach().cpu().numpy() for tensor in (found.module.weight, found.bias()))
        if isinstance(found.module, nn.Conv2d):
            size, channels = weight.shape[2], weight.shape[0]
            layers.append(f"conv {channels} {size}x{size}" + (" pool" if found.pool else ""))
            arrays[f"kernel.{k}"] = weight.transpose(2, 3, 1, 0)
            below = (below[0], below[1], channels)
        else:
            height, width, channels = below
            if weight.shape[1] != height * width * channels:
                raise ValueError(f"module {found.place} takes {weight.shape[1]} inputs, but below it are {height} x {width} x {channels}")
            layers.append(f"dense {weight.shape[0]}")
            arrays[f"kernel.{k}"] = weight.T.reshape(channels, height, width, -1).transpose(1, 2, 0, 3).reshape(weight.shape[::-1])
            below = (1, 1, weight.shape[0])
        if found.pool:
            below = (below[0] // 2, below[1] // 2, below[2])
        arrays[f"bias.{k}"] = bias
    network = Network(input, layers, _activation(maps), pool_order=_pool_order(maps), dtype=next(iter(arrays.values())).dtype)
    for name, array in arrays.items():
        network[name] = np.ascontiguousarray(array)
    return network


class _Map:
    """A layer as it is read: its affine map and what follows that."""

    def __init__(self, place: str, module: nn.Linear | nn.Conv2d) -> None:
        self.place, self.module = place, module
        self.activation: str | None = None
        #: Whether a pool follows, and whether it comes before the activation.
        self.pool, self.pool_first = False, False

    def bias(self) -> torch.Tensor:
        bias = self.module.bias
        return torch.zeros(self.module.weight.shape[0], dtype=self.module.weight.dtype) if bias is None else bias


def _maps(module: nn.Module) -> list[_Map]:
    """The layers of a module, from the first above the input."""
    if not isinstance(module, nn.Sequential):
        raise ValueError(f"the module is a {type(module).__name__}, expected a torch.nn.Sequential")
    maps: list[_Map] = []
    for place, part in module.named_modules(remove_duplicate=False):
        if isinstance(part, (nn.Sequential, nn.Flatten, nn.Dropout, nn.Dropout2d, nn.Identity)):
            continue
        wrong = f"module {place}, {part}"
        if isinstance(part, (nn.Linear, nn.Conv2d)):
            if isinstance(part, nn.Conv2d) and not _keeps_size(part):
                raise ValueError(f"{wrong}: expected an odd square kernel, stride 1, and zeros around the image that keep its size")
            maps.append(_Map(place, part))
            continue
        last = maps[-1] if maps else None
        name = _name(part)
        if last is None:
            raise ValueError(f"{wrong}: expected a Linear or Conv2d before it")
        if isinstance(part, nn.MaxPool2d):
            plain = _pair(part.kernel_size) == (2, 2) == _pair(part.stride) and _pair(part.padding) == (0, 0) and not part.ceil_mode
            if not plain or _pair(part.dilation) != (1, 1) or not isinstance(last.module, nn.Conv2d) or last.pool:
                raise ValueError(f"{wrong}: expected one MaxPool2d(2) after a Conv2d")
            last.pool, last.pool_first = True, last.activation is None
        elif name is not None and last.activation is None:
            last.activation = name
        else:
            raise ValueError(f"{wrong}: it has no counterpart in a Network here")
    return maps


def _name(part: nn.Module) -> str | None:
    """What an activation is called here."""
    if isinstance(part, nn.LeakyReLU):
        return "leaky_relu" if part.negative_slope == 0.01 else None
    if isinstance(part, nn.Hardtanh) and not isinstance(part, nn.ReLU6):
        return "hard_sigmoid" if (part.min_val, part.max_val) == (0.0, 1.0) else None
    plain = {nn.ReLU: "relu", nn.Sigmoid: "sigmoid", nn.Tanh: "tanh"}
    return plain.get(type(part))


def _pair(value: Any) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else tuple(value)


def _keeps_size(part: nn.Conv2d) -> bool:
    size = part.kernel_size
    padding = tuple(n // 2 for n in size) if part.padding == "same" else part.padding
    odd = size[0] == size[1] and size[0] % 2 == 1
    plain = part.stride == (1, 1) and part.dilation == (1, 1) and part.groups == 1 and part.padding_mode == "zeros"
    return odd and plain and padding == (size[0] // 2, size[1] // 2)


def _activation(maps: list[_Map]) -> str:
    if maps[-1].activation is not None or maps[-1].pool:
        raise ValueError(f"module {maps[-1].place} is the output, after which there is an activation or a pool; expected none")
    found = sorted({layer.activation or "identity" for layer in maps[:-1]})
    if len(found) > 1:
        raise ValueError(f"the hidden layers have different activations, {', '.join(found)}; expected one kind")
    return found[0] if found else "relu"


def _pool_order(maps: list[_Map]) -> str:
    orders = {layer.pool_first for layer in maps if layer.pool}
    if len(orders) > 1 and _activation(maps) != "identity":
        raise ValueError("some pools come before their activation and some after it; expected one order")
    return "after_activation" if orders == {False} else "before_activation"
