"""GGUF: the gguf package decodes the file, llama.cpp runs it, and llama.cpp quantizes the model itself."""
import ctypes
import gguf
import llama_cpp
import numpy as np
import torch
from arithmetic import integers
from making import Failure, nibble

SUFFIX = ".gguf"
BLOCK = {"attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj",
         "attn_output": "self_attn.o_proj", "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj",
         "ffn_down": "mlp.down_proj"}
OTHER = {"token_embd": "model.embed_tokens", "output": "lm_head"}


def matrices(path):
    """The tensors of two dimensions, and their names in Hugging Face folders."""
    reader = gguf.GGUFReader(path)
    found = {}
    for tensor in reader.tensors:
        words = tensor.name.split(".")
        if len(tensor.shape) == 2 and words[0] == "blk" and words[2] in BLOCK:
            found[f"model.layers.{words[1]}.{BLOCK[words[2]]}"] = tensor
        elif len(tensor.shape) == 2 and words[0] in OTHER:
            found[OTHER[words[0]]] = tensor
    return reader, found


def read(path):
    """By gguf.quants, the rows of queries and keys in the order of Hugging Face folders."""
    reader, tensors = matrices(path)
    heads = {"q_proj": "head_count", "k_proj": "head_count_kv"}
    weights = {}
    for name, tensor in tensors.items():
        value = gguf.quants.dequantize(tensor.data, tensor.tensor_type).astype(np.float32)
        value = value.reshape(int(tensor.shape[1]), int(tensor.shape[0]))
        key = heads.get(name.rpartition(".")[2])
        if key:
            count = int(reader.fields[f"llama.attention.{key}"].contents())
            value = value.reshape(count, -1, 2, value.shape[1]).swapaxes(1, 2).reshape(value.shape)
        weights[f"{name}.weight"] = value
    return weights


def by_type(path, change):
    """For a linear layer's name, `change` of the type of its matrix; a missing output matrix is that of the embeddings."""
    types = {name: tensor.tensor_type for name, tensor in matrices(path)[1].items()}
    types.setdefault("lm_head", types["model.embed_tokens"])
    return lambda name: change(types[name]) if name in types else None


PLAIN = (gguf.GGMLQuantizationType.F32, gguf.GGMLQuantizationType.F16, gguf.GGMLQuantizationType.BF16)
PLAIN_INPUTS = {gguf.GGMLQuantizationType.F16: torch.float16, gguf.GGMLQuantizationType.BF16: torch.bfloat16}


def inputs_of_llama(kind):
    """What llama.cpp multiplies with: ggml's type_traits_cpu names Q8_0 or Q8_1 for blocks of 32, Q8_K for those of 256, whose
    scales are floats, and the weights' own type for plain ones."""
    if kind in PLAIN:
        plain = PLAIN_INPUTS.get(kind)
        return (lambda x: x.to(plain).float()) if plain else None
    size = gguf.GGML_QUANT_SIZES[kind][0]
    return integers(size, half_scales=size == 32)


def own_rounding(path):
    """What Nibble multiplies with: blocks of 32 with float scales, for all types of blocks."""
    return by_type(path, lambda kind: None if kind in PLAIN else integers(32, half_scales=False))


def logits(path, ids):
    model = llama_cpp.Llama(
        str(path), n_ctx=256, logits_all=True, verbose=False, n_threads=1, n_threads_batch=1, flash_attn=False,
        type_k=llama_cpp.GGML_TYPE_F32, type_v=llama_cpp.GGML_TYPE_F32)
    model.eval(ids)
    found = np.array(model.scores[:len(ids)])
    model.close()
    if not np.isfinite(found).all() or np.ptp(found) == 0:
        raise Failure("llama.cpp gives no logits")
    return found


def run(path, ids):
    """As it is; and expanded by llama.cpp itself to single precision, where it rounds nothing."""
    kinds = {tensor.tensor_type for tensor in matrices(path)[1].values()}
    if kinds != {gguf.GGMLQuantizationType.F32}:
        name = "8-bit inputs" if kinds - set(PLAIN) else "16-bit inputs"
        yield name, lambda: logits(path, ids), {"rounding": by_type(path, inputs_of_llama)}
    yield "decoded, float32", lambda: expanded(path, ids), {"like": "float32"}


def expanded(path, ids):
    copy = path.with_name("expanded.gguf")
    quantize(path, copy, llama_cpp.LLAMA_FTYPE_ALL_F32)
    found = logits(copy, ids)
    copy.unlink()
    return found


def quantize(path, output, kind):
    settings = llama_cpp.llama_model_quantize_default_params()
    settings.ftype, settings.nthread, settings.allow_requantize = kind, 1, True
    if llama_cpp.llama_model_quantize(str(path).encode(), str(output).encode(), ctypes.byref(settings)) != 0:
        raise Failure("llama.cpp did not quantize")


def quantized(kind):
    def write(model, output, binary):
        plain = output.with_name("plain.gguf")
        plain.unlink(missing_ok=True)
        nibble(binary, "convert", model, "-o", plain, "--format", "gguf", "--quiet")
        quantize(plain, output, kind)

    return write


KINDS = ("F16 BF16 Q4_0 Q4_1 Q5_0 Q5_1 Q8_0 Q2_K Q2_K_S Q3_K_S Q3_K_M Q3_K_L Q4_K_S Q4_K_M Q5_K_S Q5_K_M Q6_K "
         "IQ4_NL IQ4_XS").split()
WRITERS = {kind.lower(): quantized(getattr(llama_cpp, f"LLAMA_FTYPE_MOSTLY_{kind}")) for kind in KINDS}
