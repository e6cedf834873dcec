"""Runs the cases of one format in a process of its own, in the format's environment. Prints a line of JSON for each.

A case holds a folder (or file) that Nibble or the package wrote against itself, as both read it:
- weights: what the package decodes and what Nibble decodes, matrix by matrix;
- logits: the package runs the folder, transformers runs the weights that Nibble decodes (arithmetic.py);
- run: Nibble runs the folder (`nibble evaluate`), and the mean log likelihood of the prompt's second half is held against that
  of the decoded weights. Nibble multiplies schemes in single precision, GGUF's blocks with inputs rounded in blocks of 32.
"""
import importlib, importlib.metadata, json, math, shutil, signal, subprocess, traceback

import arithmetic
from catalog import EXCEPTIONS, FORMATS
from making import Failure, nibble

WEIGHTS = 1e-3
SECONDS = 900


def decode(binary, model, folder):
    """Expands what Nibble reads in `model` to a folder in single precision; gives its weights by name."""
    from safetensors import safe_open

    shutil.rmtree(folder, ignore_errors=True)
    nibble(binary, "convert", model, "-o", folder, "--format", "safetensors", "--type", "f32", "--quiet")
    weights = {}
    for file in sorted(folder.glob("*.safetensors")):
        with safe_open(file, "pt") as tensors:
            for name in tensors.keys():
                weights[name] = tensors.get_tensor(name).float().numpy()
    return weights


def compare(ours, theirs):
    """The largest difference of a matrix relative to its largest magnitude, and how many matrices were compared."""
    import numpy as np

    if not theirs:
        raise Failure("the package shows no quantized weights")
    worst = 0.0
    for name, expected in theirs.items():
        if name not in ours:
            raise Failure(f"nibble does not show {name}")
        if ours[name].shape != expected.shape:
            raise Failure(f"{name} is {ours[name].shape} to nibble, {expected.shape} to the package")
        largest = float(np.abs(expected).max())
        difference = float(np.abs(ours[name].astype(np.float64) - expected).max())
        if not difference <= WEIGHTS * largest:
            raise Failure(f"{name} differs by {difference:.3g} of {largest:.3g}")
        worst = max(worst, difference / max(largest, 1e-30))
    return {"difference": worst, "count": len(theirs)}


def run(binary, output, model, ids, expected, module):
    """The log likelihood that Nibble finds, against that of the decoded weights."""
    text = output.with_name("prompt.txt")
    text.write_text(arithmetic.TEXT)
    result = subprocess.run(
        [binary, "evaluate", str(output), "--text", str(text), "--context", str(len(ids)), "--chunks", "1", "--cache-type",
         "f32", "--float-products", "--threads", "1", "--quiet", "--json"], capture_output=True, text=True)
    if result.returncode != 0:
        raise Failure(f"nibble evaluate: {(result.stderr.strip().splitlines() or ['no message'])[-1][:120]}")
    rounding = getattr(module, "own_rounding", lambda output: None)(output)
    logits, tolerance = expected.exact, arithmetic.LEAST
    if rounding:
        logits, others = expected.rounded(rounding)
        tolerance = arithmetic.likelihood_tolerance(logits, others, ids)
    found = -math.log(json.loads(result.stdout)["perplexity"])
    difference = abs(found - arithmetic.log_likelihood(logits, ids))
    if not difference <= tolerance:
        raise Failure(f"nibble runs it with a log likelihood of {found:.5f}, {difference:.2g} from the decoded weights'")
    return {"difference": difference, "tolerance": tolerance}


def check(binary, output, model, folder, module, row):
    decoded = folder / "decoded"
    row["weights"] = compare(decode(binary, output, decoded), module.read(output))
    ids = arithmetic.prompt(model)
    expected = arithmetic.Expected(decoded, ids)
    row["logits"] = []
    for step, logits, options in module.run(output, ids):
        words, reason = EXCEPTIONS.get((row["format"], row["direction"], row["what"], step), (None, None))
        try:
            judged = expected.judge(logits(), step, **options)
            if not judged["difference"] <= judged["tolerance"]:
                raise Failure(f"logits, {step}: differ by {judged['difference']:.2g}, {judged['tolerance']:.2g} being allowed")
        except Exception as error:
            if not words or words not in str(error):
                raise
            row["logits"].append({"arithmetic": step, "refused": reason})
            continue
        if words:
            raise Failure(f"{step} works, in spite of the exception: {reason}")
        row["logits"].append(judged)
    row["run"] = run(binary, output, model, ids, expected, module)


def late(signal, frame):
    raise Failure(f"took longer than {SECONDS} seconds")


def remove(output):
    shutil.rmtree(output) if output.is_dir() else output.unlink(missing_ok=True)


def cases(name, binary, model, folder, written, wanted):
    """Runs the cases of one format for one model; yields rows. `wanted` are words, one of which a case must contain."""
    module = importlib.import_module(name.replace("-", "_") + "_cases")
    suffix = getattr(module, "SUFFIX", "")

    def attempt(direction, what, output, make):
        row = {"format": name, "model": model.name, "direction": direction, "what": what}
        words, reason = EXCEPTIONS.get((name, direction, what), (None, None))
        try:
            signal.signal(signal.SIGALRM, late)
            signal.alarm(SECONDS)
            remove(output)
            make(output)
            check(binary, output, model, folder, module, row)
            row["state"] = "same"
        except Failure as failure:
            row |= {"state": "FAIL", "text": str(failure)}
        except Exception as error:
            traceback.print_exc()
            row |= {"state": "FAIL", "text": f"{type(error).__name__}: " + " ".join(str(error).split())[:300]}
        signal.alarm(0)
        if words and row["state"] == "same":
            row |= {"state": "FAIL", "text": f"works, in spite of the exception: {reason}"}
        elif words and words in row["text"]:
            row |= {"state": "known", "text": reason}
        # The reference model's copies take much room.
        if written is not FORMATS[name].written:
            remove(output)
        return row

    def quantize(entry):
        scheme, *options = entry.split()
        variety, _, scheme = scheme.rpartition(":")
        text = folder / "calibration.txt"
        text.write_text("\n".join(arithmetic.TEXT for _ in range(40)))
        options = [str(text) if option == "TEXT" else option for option in options]
        return lambda output: nibble(
            binary, "quantize", model, "-o", output, "--type", scheme, "--format", variety or name, "--quiet", "--threads", "1",
            *options)

    def selected(what):
        return not wanted or any(word in what for word in wanted)

    for number, entry in enumerate(written):
        if selected(entry):
            yield attempt("nibble writes", entry, folder / f"ours-{name}-{number}{suffix}", quantize(entry))
    if written is FORMATS[name].written:
        for number, (what, write) in enumerate(module.WRITERS.items()):
            if selected(what):
                yield attempt("nibble reads", what, folder / f"theirs-{name}-{number}{suffix}",
                              lambda output, write=write: write(model, output, binary))


def versions(name):
    return {package: importlib.metadata.version(package) for package in FORMATS[name].packages}
