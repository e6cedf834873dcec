"""GPTQ: GPTQModel loads the folder into its PyTorch layers, transformers loads it through GPTQModel, and GPTQModel quantizes
the model itself."""
import gptqmodel_support as support
import torch
from gptqmodel import BACKEND, QuantizeConfig

TORCH = BACKEND.GPTQ_TORCH if hasattr(BACKEND, "GPTQ_TORCH") else BACKEND.TORCH


def read(folder):
    """In single precision, as its layers compute once their scales are floats."""
    layers = support.layers(support.load(folder, TORCH).float())
    return {f"{name}.weight": support.products(module, torch.float32).numpy() for name, module in layers}


def run(folder, ids):
    """In half precision as it is loaded; then with scales as floats, so that the same layers decode and multiply in single
    precision; then as transformers loads it."""
    model = support.load(folder, TORCH)
    yield "float16", lambda: support.logits(model, ids), {}
    yield "float32", lambda: support.logits(model.float(), ids), {}
    yield "transformers float16", lambda: support.logits(support.load_by_transformers(folder), ids), {"like": "float16"}


def config(**settings):
    return support.quantized(lambda: QuantizeConfig(**{"bits": 4, "group_size": 64, "desc_act": False} | settings))


WRITERS = {
    "defaults": support.quantized(lambda: QuantizeConfig()),
    "2 bits": config(bits=2, group_size=32),
    "3 bits": config(bits=3),
    "4 bits": config(),
    "8 bits": config(bits=8),
    "group -1": config(group_size=-1, act_group_aware=False),
    "desc_act": config(desc_act=True),
    "desc_act, group -1": config(desc_act=True, group_size=-1),
    "sym false": config(sym=False),
    "sym false, 2 bits": config(sym=False, bits=2),
    "sym false, 3 bits": config(sym=False, bits=3),
    "sym false, 8 bits": config(sym=False, bits=8),
    "sym false, desc_act": config(sym=False, desc_act=True),
    "version 2": config(format="gptq_v2"),
    "version 2, sym false": config(format="gptq_v2", sym=False),
    "some 8 bits, some plain": config(dynamic={r"+:.*down_proj.*": {"bits": 8, "group_size": 32}, r"-:.*k_proj.*": {}}),
    "lm_head too": config(lm_head=True),
}
