#!/usr/bin/env python3
"""What each type costs: files of Nibble and of llama-quantize, sizes, times, and KL divergence in both tools.

    quality.py MODEL_FOLDER BASE.gguf TEXT [--types q8_0,q4_k_m] [--chunks 16] [--work DIR] [--nibble PATH]

MODEL_FOLDER is the Hugging Face folder that Nibble quantizes, BASE.gguf the same weights for llama.cpp; BASE.gguf is the
reference of every KL divergence.
"""
import argparse, json, pathlib, subprocess, sys, tempfile

HERE = pathlib.Path(__file__).resolve().parent
TYPES = "q8_0,q6_k,q5_k_m,q5_0,q4_k_m,q4_1,q4_0,iq4_nl,iq4_xs,q3_k_m,q2_k"


def run(*command):
    return json.loads(subprocess.check_output([str(part) for part in command], stderr=subprocess.DEVNULL))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model"); parser.add_argument("base"); parser.add_argument("text")
    parser.add_argument("--types", default=TYPES)
    parser.add_argument("--chunks", type=int, default=16)
    parser.add_argument("--work")
    parser.add_argument("--nibble", default=HERE.parent / ".build/release/nibble")
    options = parser.parse_args()
    work = pathlib.Path(options.work or tempfile.mkdtemp())
    work.mkdir(parents=True, exist_ok=True)
    peer = [sys.executable, HERE / "llama.py"]
    print("KLD in nats; N = Nibble's file, L = llama-quantize's; 'in llama' and 'in Nibble' name the judge")
    print(f"{'type':8} {'MB N':>7} {'MB L':>7} {'s N':>6} {'s L':>6} {'N in llama':>10} {'L in llama':>10} {'N in Nibble':>11}")
    for name in options.types.split(","):
        ours, theirs = work / f"nibble-{name}.gguf", work / f"llama-{name}.gguf"
        report = run(options.nibble, "quantize", options.model, "-o", ours, "--type", name, "--threads", 2,
                     "--force", "--json")
        seconds = run(*peer, "quantize", options.base, theirs, name)["seconds"]
        in_llama = run(*peer, "evaluate", ours, options.base, options.text, options.chunks)["kld"]
        their_own = run(*peer, "evaluate", theirs, options.base, options.text, options.chunks)["kld"]
        in_nibble = run(options.nibble, "evaluate", ours, "--reference", options.base, "--text", options.text,
                        "--chunks", options.chunks, "--json")["kld"]
        print(f"{name:8} {ours.stat().st_size / 1e6:7.1f} {theirs.stat().st_size / 1e6:7.1f} {report['seconds']:6.2f} "
              f"{seconds:6.2f} {in_llama:10.4f} {their_own:10.4f} {in_nibble:11.4f}", flush=True)


main()
