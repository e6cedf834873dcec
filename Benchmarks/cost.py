#!/usr/bin/env python3
"""What quantizing with text costs as models grow: seconds and peak memory, measured, and as a formula predicts them.

    cost.py MODEL_FOLDER CALIBRATION [--sizes 30,135,1100] [--efforts fast,normal] [--windows 24] [--work DIR] [--nibble PATH]

MODEL_FOLDER gives the tokenizer. The models have random weights of a Llama's shapes: cost does not depend on what weights are. The
formula is fitted to the rows measured, by least squares of relative errors; all but its constants is known beforehand:

    seconds  =  a · tokens · block weights  +  b · tokens · Σ columns²  +  c · Σ rows · columns²
                (the model's products)         (second moments)           (sweeps, scales, descent)
"""
import argparse, json, pathlib, shutil, subprocess, sys, tempfile
import numpy as np
import ml_dtypes
from safetensors.numpy import save_file

HERE = pathlib.Path(__file__).resolve().parent
# Hidden features, blocks, heads, key-value heads, feed-forward features.
SHAPES = {30: (320, 12, 5, 5, 896), 135: (576, 30, 9, 3, 1536), 1100: (2048, 22, 32, 4, 5632)}


def layers(shape):
    """Rows and columns of each matrix of a block, and whether it is the first of its stage."""
    hidden, _, heads, kv, inner = shape
    head = hidden // heads
    return [("self_attn.q_proj", hidden, hidden, True), ("self_attn.k_proj", kv * head, hidden, False),
            ("self_attn.v_proj", kv * head, hidden, False), ("self_attn.o_proj", hidden, hidden, True),
            ("mlp.gate_proj", inner, hidden, True), ("mlp.up_proj", inner, hidden, False),
            ("mlp.down_proj", hidden, inner, True)]


def make_model(folder, shape, source):
    """A Llama with random weights, in shards of a block each."""
    hidden, blocks, heads, kv, inner = shape
    folder.mkdir(parents=True)
    config = json.loads((source / "config.json").read_text())
    config.update(hidden_size=hidden, num_hidden_layers=blocks, num_attention_heads=heads, num_key_value_heads=kv,
                  intermediate_size=inner, head_dim=hidden // heads)
    (folder / "config.json").write_text(json.dumps(config, indent=2))
    for name in ["tokenizer.json", "tokenizer_config.json"]:
        shutil.copy(source / name, folder / name)
    random, index = np.random.default_rng(1), {}

    def save(name, tensors):
        save_file(tensors, folder / name, metadata={"format": "pt"})
        index.update({tensor: name for tensor in tensors})

    def matrix(rows, columns):
        return (0.02 * random.standard_normal((rows, columns), dtype=np.float32)).astype(ml_dtypes.bfloat16)

    ones = np.ones(hidden, dtype=ml_dtypes.bfloat16)
    files = blocks + 1
    name = lambda i: f"model-{i + 1:05d}-of-{files:05d}.safetensors"
    for i in range(blocks):
        part = {f"model.layers.{i}.{layer}.weight": matrix(rows, columns) for layer, rows, columns, _ in layers(shape)}
        part |= {f"model.layers.{i}.{norm}.weight": ones for norm in ["input_layernorm", "post_attention_layernorm"]}
        save(name(i), part)
    save(name(blocks), {"model.embed_tokens.weight": matrix(config["vocab_size"], hidden), "model.norm.weight": ones})
    total = sum((folder / file).stat().st_size for file in set(index.values()))
    (folder / "model.safetensors.index.json").write_text(
        json.dumps({"metadata": {"total_size": total}, "weight_map": index}))


def terms(shape, tokens):
    """The formula's three products, in billions."""
    parts, blocks = layers(shape), shape[1]
    weights = sum(rows * columns for _, rows, columns, _ in parts)
    squares = sum(columns ** 2 for _, _, columns, first in parts if first)
    work = sum(rows * columns ** 2 for _, rows, columns, _ in parts)
    return [blocks * tokens * weights / 1e9, blocks * tokens * squares / 1e9, blocks * work / 1e9]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=pathlib.Path); parser.add_argument("calibration")
    parser.add_argument("--sizes", default="30,135,1100")
    parser.add_argument("--efforts", default="fast,normal")
    parser.add_argument("--type", default="int4-g64-sym")
    parser.add_argument("--windows", type=int, default=24)
    parser.add_argument("--work", type=pathlib.Path)
    parser.add_argument("--nibble", default=HERE.parent / ".build/release/nibble")
    options = parser.parse_args()
    work = options.work or pathlib.Path(tempfile.mkdtemp())
    rows = []
    for size in map(int, options.sizes.split(",")):
        folder, output = work / f"model-{size}", work / "quantized"
        if not folder.exists():
            make_model(folder, SHAPES[size], options.model)
        for effort in options.efforts.split(","):
            shutil.rmtree(output, ignore_errors=True)
            text = subprocess.check_output(
                [options.nibble, "quantize", folder, "-o", output, "--type", options.type, "--method", "gptq", "--effort", effort,
                 "--calibration", options.calibration, "--calibration-windows", str(options.windows), "--threads", "2", "--force",
                 "--no-resume", "--json"], stderr=subprocess.DEVNULL)
            report = json.loads(text)
            rows.append((size, effort, report["calibration"]["tokens"], report["seconds"], report["peak_memory_bytes"]))
            print(f"{size} {effort}: {report['seconds']:.0f} s", file=sys.stderr, flush=True)
    print(f"{options.type}, windows of 512 tokens, 2 threads. M = million weights.\n")
    print("| M | effort | tokens | seconds | as predicted | peak MB |\n| --- | --- | --- | --- | --- | --- |")
    for effort in options.efforts.split(","):
        chosen = [row for row in rows if row[1] == effort]
        products = np.array([terms(SHAPES[size], tokens) for size, _, tokens, _, _ in chosen])
        seconds = np.array([row[3] for row in chosen])
        constants = positive_least_squares(products / seconds[:, None])
        for row, predicted in zip(chosen, products @ constants):
            print(f"| {row[0]} | {effort} | {row[2]} | {row[3]:.0f} | {predicted:.0f} | {row[4] / 1e6:.0f} |")
        print(f"| | {effort} | | | a, b, c = {', '.join(f'{c:.2e}' for c in constants)} s a billion | |")


def positive_least_squares(matrix):
    """x >= 0 with matrix · x near 1, over all choices of terms that may be zero."""
    best, count = None, matrix.shape[1]
    for mask in range(1, 1 << count):
        chosen = [i for i in range(count) if mask >> i & 1]
        found = np.linalg.lstsq(matrix[:, chosen], np.ones(len(matrix)), rcond=None)[0]
        if (found < 0).any():
            continue
        x = np.zeros(count)
        x[chosen] = found
        error = ((matrix @ x - 1) ** 2).sum()
        if best is None or error < best[0] - 1e-12:
            best = (error, x)
    return best[1]


main()
