"""MLX: mlx-lm loads the folder into its own layers, and converts the model itself."""
import pathlib
import mlx.core as mx
import mlx.nn as nn
import numpy as np
from mlx.utils import tree_map
from mlx_lm import convert
from mlx_lm.utils import load_model


def read(folder):
    """By mx.dequantize, in single precision."""
    model, _ = load_model(pathlib.Path(folder))
    weights = {}
    for name, module in model.named_modules():
        if not isinstance(module, (nn.QuantizedLinear, nn.QuantizedEmbedding)):
            continue
        settings = {"group_size": module.group_size, "bits": module.bits, "mode": module.mode}
        if module.mode == "affine":
            arrays = [module.scales.astype(mx.float32), module.biases.astype(mx.float32)]
        else:
            arrays = [module.scales]
        value = mx.dequantize(module.weight, *arrays, **settings).astype(mx.float32)
        weights[f"{name}.weight"] = np.array(value)
    return weights


def logits(model, ids):
    return np.array(model(mx.array([ids]))[0].astype(mx.float32))


def run(folder, ids):
    """As it is loaded, in the type of its norms and scales; then with these as floats."""
    model, _ = load_model(pathlib.Path(folder))
    types = {value.dtype for value in leaves(model) if mx.issubdtype(value.dtype, mx.floating)}
    if types != {mx.float32}:
        # Mixed types are brought to a common one product by product, the coarsest being bfloat16.
        yield "float16" if types == {mx.float16} else "bfloat16", lambda: logits(model, ids), {"margin": 10}
    yield "float32", lambda: logits(raised(model), ids), {}


def raised(model):
    model.update(tree_map(lambda a: a.astype(mx.float32) if mx.issubdtype(a.dtype, mx.floating) else a, model.parameters()))
    return model


def leaves(model):
    found = []
    tree_map(found.append, model.parameters())
    return found


def converted(**settings):
    return lambda model, output, binary: convert(str(model), str(output), quantize=True, **settings)


def mixed(path, module):
    """More bits for some layers, and none for one, so that the configuration has entries for modules."""
    if "o_proj" in path:
        return False
    return {"group_size": 32, "bits": 6} if "down_proj" in path else hasattr(module, "to_quantized")


WRITERS = {"defaults": converted()} | {
    f"{bits} bits, groups of {group}": converted(q_bits=bits, q_group_size=group)
    for bits in (2, 3, 4, 5, 6, 8) for group in (32, 64, 128)
} | {
    "3 bits, bfloat16": converted(q_bits=3, q_group_size=32, dtype="bfloat16"),
    "8 bits, float32": converted(q_bits=8, q_group_size=128, dtype="float32"),
    "mixed bits": converted(q_bits=4, q_group_size=64, quant_predicate=mixed),
    "mixed_3_6": converted(quant_predicate="mixed_3_6"),
    "mxfp4": converted(q_bits=4, q_group_size=32, q_mode="mxfp4"),
}
