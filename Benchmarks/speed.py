#!/usr/bin/env python3
"""Tokens a second of Nibble and llama.cpp on the same GGUF files, in alternating runs, with the ratio of the medians.

    speed.py MODEL.gguf ... [--rounds 3] [--prompt 512] [--generate 128] [--threads 2] [--nibble PATH]
"""
import argparse, json, pathlib, statistics, subprocess, sys

HERE = pathlib.Path(__file__).resolve().parent


def run(*command):
    return json.loads(subprocess.check_output([str(part) for part in command], stderr=subprocess.DEVNULL))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="+")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--prompt", type=int, default=512)
    parser.add_argument("--generate", type=int, default=128)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--nibble", default=HERE.parent / ".build/release/nibble")
    options = parser.parse_args()
    print(f"{'model':28} {'':8} {'Nibble':>9} {'llama.cpp':>9} {'ratio':>6}")
    for model in options.models:
        rates = {"nibble": [], "llama": []}
        for _ in range(options.rounds):
            rates["nibble"].append(run(
                options.nibble, "bench", model, "--prompt-tokens", options.prompt, "--generate-tokens",
                options.generate, "--repeat", 3, "--threads", options.threads, "--json"))
            rates["llama"].append(run(
                sys.executable, HERE / "llama.py", "bench", model, options.prompt, options.generate, 3,
                options.threads))
        for phase in ("prompt", "generate"):
            key = f"{phase}_tokens_per_second"
            ours, theirs = (statistics.median(r[key] for r in rates[who]) for who in ("nibble", "llama"))
            print(f"{pathlib.Path(model).name:28} {phase:8} {ours:9.1f} {theirs:9.1f} {ours / theirs:6.2f}", flush=True)


main()
