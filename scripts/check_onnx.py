"""ONNX's own checker and onnxruntime read what `dualprop export` writes, and find what the program finds.

Trains small networks on random images, exports each as ONNX and NPZ, with and without what is done to pixels, and holds against each
other: the outputs of onnxruntime, a forward pass in NumPy over the NPZ, and the probabilities of `dualprop predict`. Uses the first
interpreter that has numpy, onnx and onnxruntime (packages.py); without one it prints SKIPPED. Exits 1 if anything differs. Run from
anywhere: python3 scripts/check_onnx.py
"""
import csv
import json
import pathlib
import struct
import subprocess
import sys
import tempfile

import packages

SAMPLES, CLASSES = 40, 4
# Of the largest logit; sums of some hundred products of f32 differ by a tenth of that.
TOLERANCE = 1e-5

# Extents of the images, layers, activation, pool order, and what else is set.
CASES = [
    ([8, 8], ["dense 12", "dense 4"], "relu", "before_activation"),
    ([5, 4, 3], ["dense 9", "dense 7", "dense 4"], "leaky_relu", "before_activation"),
    ([13], ["dense 9", "dense 4"], "hard_sigmoid", "before_activation"),
    ([13], ["conv 5 1x1", "dense 4"], "tanh", "before_activation"),
    ([9, 7, 3], ["conv 6 5x5 pool", "conv 5 pool", "dense 8", "dense 4"], "relu", "before_activation"),
    ([9, 7, 3], ["conv 6 5x5 pool", "conv 5 pool", "dense 8", "dense 4"], "relu", "after_activation"),
    ([7, 10, 2], ["conv 4 pool", "conv 3 7x7", "dense 4"], "leaky_relu", "after_activation"),
    ([7, 10, 2], ["conv 4", "conv 3 5x5 pool", "dense 4"], "hard_sigmoid", "before_activation"),
    ([6, 5], ["conv 3 pool", "conv 5 1x1", "dense 4"], "sigmoid", "after_activation"),
    ([6, 5], ["conv 3 pool", "conv 5 pool", "dense 4"], "identity", "after_activation"),
    ([6, 5], ["conv 3 pool", "dense 6", "dense 4"], "tanh", "before_activation", "learning.feedback=kolen_pollack"),
    ([6, 5], ["dense 4"], "sigmoid", "before_activation"),
]


def activations():
    """f as the library's `compute::activation` defines it."""
    import numpy

    return {
        "relu": lambda a: numpy.maximum(a, 0),
        "leaky_relu": lambda a: numpy.where(a < 0, 0.01 * a, a),
        "hard_sigmoid": lambda a: numpy.clip(a, 0, 1),
        "sigmoid": lambda a: 1 / (1 + numpy.exp(-a)),
        "tanh": numpy.tanh,
        "identity": lambda a: a,
    }


def convolution(images, kernel):
    """A convolution that keeps the size, of NHWC and HWIO, product by product."""
    import numpy

    reach = kernel.shape[0] // 2
    padded = numpy.pad(images, [(0, 0), (reach, reach), (reach, reach), (0, 0)])
    height, width = images.shape[1:3]
    places = [(y, x) for y in range(kernel.shape[0]) for x in range(kernel.shape[1])]
    return sum(padded[:, y : y + height, x : x + width] @ kernel[y, x] for y, x in places)


def pool(images):
    """The largest of 2 x 2; an odd last row or column is dropped."""
    n, height, width, channels = images.shape
    even = images[:, : height // 2 * 2, : width // 2 * 2]
    return even.reshape(n, height // 2, 2, width // 2, 2, channels).max(axis=(2, 4))


def forward(arrays, layers, activation, order, pixels):
    """The logits in f64, layer by layer."""
    f = activations()[activation]
    state = pixels.astype(float)
    if "input.mean" in arrays:
        state = (state - arrays["input.mean"].astype(float)) / arrays["input.scale"]
    for k, layer in enumerate(layers):
        kernel, bias = arrays[f"kernel.{k}"].astype(float), arrays[f"bias.{k}"]
        if layer.startswith("dense"):
            state = state.reshape(len(state), -1) @ kernel + bias
        else:
            state = convolution(state, kernel) + bias
        pools = layer.endswith("pool")
        if pools and order == "before_activation":
            state = pool(state)
        if k + 1 < len(layers):
            state = f(state)
        if pools and order == "after_activation":
            state = pool(state)
    return state


def without_preprocessing(model, copy):
    """Copies a model file without what is done to pixels before they enter; the program writes no such file itself."""
    data = model.read_bytes()
    start = 8 + struct.unpack("<Q", data[:8])[0]
    header, parts, length = json.loads(data[8:start]), [], 0
    for name in [name for name in header if name != "__metadata__"]:
        begin, end = header[name]["data_offsets"]
        if name.startswith("input."):
            del header[name]
            continue
        header[name]["data_offsets"] = [length, length + end - begin]
        parts.append(data[start + begin : start + end])
        length += end - begin
    text = json.dumps(header).encode()
    copy.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(parts))


def run_onnx(path, pixels):
    """The logits of all samples, and of the first alone, by onnxruntime, of a file in which ONNX finds no fault."""
    import numpy
    import onnx
    import onnxruntime

    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    assert [opset.version for opset in model.opset_import] == [17], model.opset_import
    [entry], [stated] = model.graph.input, model.graph.output
    [inferred] = onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True).graph.output
    for end in [stated, inferred]:
        extents = end.type.tensor_type.shape.dim
        assert (end.name, extents[0].dim_param, extents[1].dim_value) == ("logits", "n", CLASSES), end
    # From NHWC, or flat, to what the input says.
    extents = [extent.dim_value for extent in entry.type.tensor_type.shape.dim[1:]]
    given = numpy.moveaxis(pixels, -1, 1).reshape(len(pixels), *extents)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return [session.run(["logits"], {entry.name: numpy.ascontiguousarray(x)})[0] for x in (given, given[:1])]


def check(dualprop, folder, case):
    """Holds the exports of a trained network against each other; what is wrong with them."""
    import numpy

    extents, layers, activation, order, *more = case
    random = numpy.random.default_rng(7)
    images = random.integers(0, 256, [SAMPLES, *extents], dtype=numpy.uint8)
    numpy.save(folder / "x.npy", images)
    numpy.save(folder / "y.npy", numpy.arange(SAMPLES, dtype=numpy.uint8) % CLASSES)
    dualprop("data", "import", "random", "--train-images", "x.npy", "--train-labels", "y.npy", "--classes", str(CLASSES), "--out", "random")
    sets = ["data.dataset=./random", f"network.layers={layers}", f"network.activation={activation}", f"network.pool_order={order}"]
    sets += ["training.epochs=2", "training.batch_size=8", "data.validation=8", "data.test=0.2", *more]
    dualprop("train", "digits", "--quiet", "--name", "run", *[word for text in sets for word in ("--set", text)])
    trained, plain = folder / "runs/run/model.safetensors", folder / "plain.safetensors"
    without_preprocessing(trained, plain)
    # NHWC, with channels of their own; a flat sample has no pixels but channels.
    shape = {1: [1, 1, *extents], 2: [*extents, 1], 3: extents}[len(extents)]
    pixels = images.reshape(SAMPLES, *shape).astype(numpy.float32)
    for model, is_trained in [(trained, True), (plain, False)]:
        for ending in ["onnx", "npz"]:
            dualprop("export", str(model), "--out", f"model.{ending}", "--force")
        dualprop("predict", str(model), "./random", "--out", "predicted.csv", "--loss", "cross_entropy")
        arrays = numpy.load(folder / "model.npz")
        assert ("input.mean" in arrays) == is_trained, list(arrays)
        assert all(array.dtype == numpy.float32 for array in arrays.values())
        expected = forward(arrays, layers, activation, order, pixels)
        scale = numpy.abs(expected).max()
        logits, alone = run_onnx(folder / "model.onnx", pixels)
        softmax = numpy.exp(logits - logits.max(axis=1, keepdims=True))
        softmax /= softmax.sum(axis=1, keepdims=True)
        with open(folder / "predicted.csv", encoding="utf-8") as file:
            predicted = numpy.array([[float(number) for number in row[2:]] for row in list(csv.reader(file))[1:]])
        for what, difference, most in [
            ("onnxruntime - NumPy", logits - expected, TOLERANCE * scale),
            ("onnxruntime - NumPy, of a single sample", alone - expected[:1], TOLERANCE * scale),
            # Written with six decimals; a probability moves by no more than the logits do.
            ("onnxruntime - dualprop predict", softmax - predicted, 1e-6 + 2 * TOLERANCE * scale),
        ]:
            if not numpy.abs(difference).max() <= most:
                yield f"{what}: {numpy.abs(difference).max():.2e}, expected at most {most:.2e}, preprocessing: {is_trained}"


def main():
    packages.need("ONNX", "numpy", "onnx", "onnxruntime")
    program, wrong = packages.program(), 0
    for case in CASES:
        with tempfile.TemporaryDirectory() as temporary:
            folder = pathlib.Path(temporary)

            def dualprop(*arguments):
                run = subprocess.run([program, *arguments], cwd=folder, capture_output=True, text=True)
                if run.returncode:
                    sys.exit(f"dualprop {' '.join(arguments)}: exit {run.returncode}\n{run.stderr}")

            for flaw in check(dualprop, folder, case):
                print(f"{case}: {flaw}")
                wrong += 1
    if not wrong:
        print(f"ONNX: {2 * len(CASES)} networks, in onnxruntime what they are in NumPy and in the program")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
