#!/usr/bin/env python3
"""What each scheme and range costs, as rows of a Markdown table: size, bits, seconds, error, perplexity, KL divergence.

    schemes.py MODEL_FOLDER TEXT [--chunks 16] [--only int4] [--work DIR] [--nibble PATH]

MODEL_FOLDER is a Hugging Face folder, quantized and judged by Nibble against itself; embeddings and output stay as they are.
"""
import argparse, datetime, json, math, pathlib, shutil, subprocess, tempfile

HERE = pathlib.Path(__file__).resolve().parent
RUNS = """
int8-tensor-sym:absmax int8-tensor-asym:minmax int8-row-sym:absmax int8-row-sym:percentile=99.9 int8-row-sym:mse int8-row-sym:kl
int8-row-asym:minmax int8-column-sym:absmax int8-g64-sym:absmax int6-g64-sym:absmax int5-g64-asym:minmax
int4-row-sym:absmax int4-row-asym:minmax int4-row-asym:mse
int4-g128-sym:absmax int4-g64-sym:absmax int4-g32-sym:absmax int4-g64-sym:mse int4-g64-sym:percentile=99 int4-g64-sym:kl int4-g64-sym:hqq
int4-g128-asym:minmax int4-g64-asym:minmax int4-g32-asym:minmax int4-g64-asym:mse int4-g64-asym:hqq int4-g64-min:minmax int4-g64-min:mse
int4-g64-min:hqq int3-g64-asym:minmax int3-g64-asym:mse int3-g64-min:hqq int2-g32-asym:mse
nf4-g64 nf4-g64-dq nf4-g64:mse fp4-g64 e2m1-g32 mxfp4 nvfp4 kmeans4-row kmeans4-g128 kmeans3-row
""".split()


def run(*command):
    return json.loads(subprocess.check_output([str(part) for part in command], stderr=subprocess.DEVNULL))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model"); parser.add_argument("text")
    parser.add_argument("--chunks", type=int, default=16)
    parser.add_argument("--only", default="")
    parser.add_argument("--work")
    parser.add_argument("--nibble", default=HERE.parent / ".build/release/nibble")
    options = parser.parse_args()
    work = pathlib.Path(options.work or tempfile.mkdtemp())
    work.mkdir(parents=True, exist_ok=True)
    print(f"Made by Benchmarks/schemes.py on {datetime.date.today()}, {options.chunks} windows of 512 tokens.\n")
    print("| type | range | MB | bits | seconds | error | perplexity | KLD |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |", flush=True)
    for name in RUNS:
        if options.only not in name:
            continue
        scheme, _, choice = name.partition(":")
        output = work / "quantized"
        shutil.rmtree(output, ignore_errors=True)
        method = ["--method", "hqq"] if choice == "hqq" else ["--range", choice] if choice else []
        made = run(options.nibble, "quantize", options.model, "-o", output, "--type", scheme, *method, "--json")
        scores = run(options.nibble, "evaluate", output, "--reference", options.model, "--text", options.text,
                     "--chunks", options.chunks, "--float-products", "--json")
        quantized = [(math.prod(t["shape"]), t) for t in made["tensors"] if t["type"] != t["source_type"]]
        weights = sum(count for count, _ in quantized)
        bits = sum(t["bits_per_weight"] * count for count, t in quantized) / weights
        error = sum(t["relative_error"] * count for count, t in quantized) / weights
        print(f"| {scheme} | {choice or ('k-means' if 'kmeans' in scheme else 'absmax')} | {made['output_bytes'] / 1e6:.1f} | {bits:.3f} | "
              f"{made['seconds']:.1f} | {error:.2e} | {scores['perplexity']:.2f} | {scores['kld']:.4f} |", flush=True)


main()
