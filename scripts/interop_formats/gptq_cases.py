"""GPTQ: GPTQModel loads the folder into its PyTorch layers, and quantizes the model itself."""
from gptqmodel import BACKEND, QuantizeConfig
import gptqmodel_support as support


def read(folder):
    return support.read(folder, BACKEND.GPTQ_TORCH if hasattr(BACKEND, "GPTQ_TORCH") else BACKEND.TORCH)


WRITERS = {
    "4 bits": support.quantized(lambda: QuantizeConfig(bits=4, group_size=64, desc_act=False)),
    "4 bits desc_act": support.quantized(lambda: QuantizeConfig(bits=4, group_size=64, desc_act=True)),
    "8 bits asymmetric": support.quantized(lambda: QuantizeConfig(bits=8, group_size=64, sym=False, desc_act=False)),
}
