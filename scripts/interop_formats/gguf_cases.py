"""GGUF: the gguf package decodes the file, llama.cpp runs it, and llama.cpp quantizes the model itself."""
import ctypes
import gguf
import llama_cpp
import numpy as np
from interop import Failure, nibble

SUFFIX = ".gguf"
BLOCK = {"attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj",
         "attn_output": "self_attn.o_proj", "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj",
         "ffn_down": "mlp.down_proj"}
OTHER = {"token_embd": "model.embed_tokens", "output": "lm_head"}


def read(path):
    """By gguf.quants, under the names of Hugging Face folders, the rows of queries and keys in their order."""
    run(path)
    reader = gguf.GGUFReader(path)
    heads = {name: int(reader.fields[f"llama.attention.{key}"].contents())
             for name, key in (("attn_q", "head_count"), ("attn_k", "head_count_kv"))}
    weights = {}
    for tensor in reader.tensors:
        words = tensor.name.split(".")
        if len(tensor.shape) != 2:
            continue
        value = gguf.quants.dequantize(tensor.data, tensor.tensor_type).astype(np.float32)
        value = value.reshape(int(tensor.shape[1]), int(tensor.shape[0]))
        if words[0] == "blk" and words[2] in BLOCK:
            if words[2] in heads:
                count = heads[words[2]]
                value = value.reshape(count, -1, 2, value.shape[1]).swapaxes(1, 2).reshape(value.shape)
            weights[f"model.layers.{words[1]}.{BLOCK[words[2]]}.weight"] = value
        elif words[0] in OTHER:
            weights[f"{OTHER[words[0]]}.weight"] = value
    return weights


def run(path):
    """Whether llama.cpp loads the file and gives numbers."""
    model = llama_cpp.Llama(str(path), n_ctx=64, logits_all=True, verbose=False, n_threads=1)
    model.eval([1, 2, 3, 4, 5])
    logits = np.array(model.scores[:5])
    if not np.isfinite(logits).all() or np.ptp(logits) == 0:
        raise Failure("llama.cpp gives no logits")


def quantized(kind):
    def write(model, output, binary):
        plain = output.with_name("plain.gguf")
        plain.unlink(missing_ok=True)
        nibble(binary, "convert", model, "-o", plain, "--format", "gguf", "--quiet")
        settings = llama_cpp.llama_model_quantize_default_params()
        settings.ftype, settings.nthread = kind, 1
        if llama_cpp.llama_model_quantize(str(plain).encode(), str(output).encode(), ctypes.byref(settings)) != 0:
            raise Failure("llama.cpp did not quantize")

    return write


WRITERS = {
    "q4_0": quantized(llama_cpp.LLAMA_FTYPE_MOSTLY_Q4_0),
    "q4_k_m": quantized(llama_cpp.LLAMA_FTYPE_MOSTLY_Q4_K_M),
    "q8_0": quantized(llama_cpp.LLAMA_FTYPE_MOSTLY_Q8_0),
}
