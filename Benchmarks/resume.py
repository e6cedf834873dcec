#!/usr/bin/env python3
"""Whether a killed run of `nibble quantize --calibration` goes on to the same bytes, and what the kills cost.

    resume.py MODEL TEXT [--kills 10] [--seed 1] [--work DIR] [--nibble PATH] [-- OPTIONS OF QUANTIZE]

Runs once undisturbed, then kills runs with SIGKILL at random moments of the work that is left, each started again with the same
arguments, until all kills are spent and a run ends. Ends with 1 where the bytes differ. After `--` stand options such as
`--type q4_0 --effort fast --calibration-windows 4`; where the output is a folder, its files are compared.
"""
import argparse, filecmp, json, pathlib, random, signal, subprocess, sys, tempfile, time

HERE = pathlib.Path(__file__).resolve().parent


def start(command):
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)


def finish(process):
    output = process.communicate()[0]
    if process.returncode != 0:
        sys.exit(f"nibble ended with {process.returncode}")
    return json.loads(output)


def files(path):
    return sorted(path.iterdir()) if path.is_dir() else [path]


def is_same(one, two):
    pairs = list(zip(files(one), files(two)))
    return len(files(one)) == len(files(two)) and all(filecmp.cmp(a, b, shallow=False) for a, b in pairs)


def main():
    arguments, options_of_quantize = sys.argv[1:], ["--type", "q4_0"]
    if "--" in arguments:
        place = arguments.index("--")
        arguments, options_of_quantize = arguments[:place], arguments[place + 1:]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model"); parser.add_argument("text")
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--work")
    parser.add_argument("--nibble", default=HERE.parent / ".build/release/nibble")
    options = parser.parse_args(arguments)
    work = pathlib.Path(options.work or tempfile.mkdtemp())
    work.mkdir(parents=True, exist_ok=True)
    draw = random.Random(options.seed)

    def command(output, number):
        return [options.nibble, "quantize", options.model, "-o", output, "--calibration", options.text, "--force", "--json",
                "--threads", str(1 + number % 2), *options_of_quantize]

    whole, killed = work / "whole.gguf", work / "killed.gguf"
    journal = work / f".{killed.name}.journal"
    begun = time.monotonic()
    report = finish(start(command(whole, 1)))
    undisturbed = time.monotonic() - begun
    print(f"undisturbed: {undisturbed:.1f} s, of them {report['seconds']:.1f} to the whole file")
    print(f"{'kill':>4} {'threads':>7} {'after s':>8} {'blocks kept':>11}", flush=True)

    spent, ended, left = 0.0, 0, undisturbed
    for number in range(options.kills):
        # Shares of what is left, so that the kills spread over the whole work.
        wait = draw.random() * 2 * left / (options.kills - number)
        begun = time.monotonic()
        process = start(command(killed, number))
        try:
            process.wait(wait)
            ended += 1
            result = "ended before"
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.communicate()
            result = len(list(journal.glob("block-*")))
        left = max(left - wait / 2, 1)
        spent += time.monotonic() - begun
        print(f"{number + 1:>4} {1 + number % 2:>7} {time.monotonic() - begun:>8.1f} {result:>11}", flush=True)
        if killed.exists():
            break
    begun = time.monotonic()
    report = finish(start(command(killed, 1)))
    last = time.monotonic() - begun
    same = is_same(whole, killed)
    print(f"last run: {last:.1f} s, {report['calibration']['resumed_blocks']} blocks taken over, "
          f"verified {report['verified']}; all runs {spent + last:.1f} s, {(spent + last) / undisturbed:.2f} of undisturbed")
    print(f"the same bytes: {same}; journal removed: {not journal.exists()}")
    sys.exit(0 if same and not journal.exists() else 1)


main()
