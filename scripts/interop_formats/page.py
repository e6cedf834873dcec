"""Writes Docs/Interop.md from the rows that scripts/interop.py keeps."""
from catalog import FORMATS

HEAD = """# Interoperability

Whether the packages that a format is made for load what Nibble writes, and Nibble what they write. Made by `scripts/interop --markdown
Docs/Interop.md`; change `scripts/interop_formats`, not this page.

    swift build -c release --product nibble
    scripts/interop                               a small model, all formats
    scripts/interop gptq --only 3                 of these only the cases whose name contains 3
    scripts/interop --reference SmolLM2-135M --markdown Docs/Interop.md

The script installs the packages into three virtual environments of `.build-interop` (`scripts/interop_formats/requirements-*.txt`: GPTQModel
wants a later PyTorch than the others, llm-compressor an older transformers), which take some gigabytes. All run on the processor.
llama-cpp-python, GPTQModel and its pypcre are built while they are installed, where pip finds no wheel: that needs a C++ compiler.

The small model is a Llama of two blocks, 256 features and random weights{reference}. Three things are compared:

- *weights*: what the package's decoder and Nibble's make of each matrix; the largest difference relative to the matrix's largest magnitude.
- *logits* of a fixed prompt of 64 tokens: the package runs the folder; transformers, in single precision, runs the weights that Nibble decodes
  (`nibble convert --format safetensors --type f32`). The largest difference relative to the largest logit.
- *run*: Nibble runs the folder, and the mean log likelihood of the prompt's second half (`nibble evaluate`) is compared with that of the
  decoded weights.

Up to 1e-3 is the same. Readers that compute in half precision, or round the inputs of layers to 8 bits, are allowed more: three times what
that arithmetic does to the decoded weights (MLX, whose sums are in half precision, ten times), as measured in each case and shown as
"largest of allowed". Rounded inputs are compared with a run that rounds them likewise, and their tolerance is what a millionth's
change of the inputs does to it. That is coarse: what such a reader decodes is therefore run in single precision, too ("decoded, float32").
`scripts/interop_formats/arithmetic.py` has the details.

The figures are those of each case's last run. A case in "does not work" is tried each time; that it begins to work is an error.
"""


def steps(rows):
    """The largest difference of each arithmetic, and the tolerance of the case that it comes from."""
    largest = {}
    for row in rows:
        for judged in row["logits"]:
            if "refused" in judged:
                continue
            name = judged["arithmetic"]
            if name not in largest or judged["difference"] > largest[name]["difference"]:
                largest[name] = judged
    return [f"{name} {figure(judged)}" for name, judged in largest.items()]


def figure(judged):
    return f"{judged['difference']:.1e}" + (f" of {judged['tolerance']:.1e}" if judged["tolerance"] > 1e-3 else "")


def summary(rows):
    lines = ["| format | model | direction | cases | weights | logits | run |", "| --- | --- | --- | --- | --- | --- | --- |"]
    for name in FORMATS:
        for model in ("small", "reference"):
            for direction in ("nibble writes", "nibble reads"):
                same = [row for row in rows if row["state"] == "same" and
                        (row["format"], row["model"], row["direction"]) == (name, model, direction)]
                if same:
                    lines.append(
                        f"| {name} | {model} | {direction} | {len(same)} | {max(row['weights']['difference'] for row in same):.1e} | "
                        f"{'; '.join(steps(same))} | {figure(max((row['run'] for row in same), key=lambda run: run['difference']))} |")
    return lines


def short(what):
    """A case without the options that only feed the method."""
    return what.split(" --method")[0]


def cases(rows):
    lines = []
    for name in FORMATS:
        lines.append(f"- **{name}**")
        for model in ("small", "reference"):
            for direction in ("nibble writes", "nibble reads"):
                names = [f"`{short(row['what'])}`" if direction == "nibble writes" else short(row["what"]) for row in rows
                         if row["state"] == "same" and (row["format"], row["model"], row["direction"]) == (name, model, direction)]
                if names:
                    lines.append(f"  - {model}, {direction}: {'; '.join(names)}")
    return lines


def exceptions(rows):
    """A line for each reason, with the cases that it concerns."""
    places = {}
    for row in rows:
        case = f"{row['format']}, {row['direction']} `{short(row['what'])}`" + (" (reference)" if row["model"] == "reference" else "")
        if row["state"] == "known":
            places.setdefault(row["text"], []).append(case)
        refused = {}
        for judged in row.get("logits", []):
            if "refused" in judged:
                refused.setdefault(judged["refused"], []).append(judged["arithmetic"])
        for reason, steps in refused.items():
            steps = " and ".join(f"`{step}`" for step in steps)
            places.setdefault(reason, []).append(f"{case}, only in {steps}")
    lines = []
    for reason, cases in places.items():
        lines += [f"- {reason[0].upper()}{reason[1:]}.", *(f"  - {case}" for case in cases)]
    return lines


def versions(found):
    lines = ["| format | read and written by |", "| --- | --- |"]
    for name, packages in found.items():
        lines.append(f"| {name} | {', '.join(f'{package} {number}' for package, number in packages.items())} |")
    return lines


def page(rows, found):
    left = [f"{name} ({model})" for name, entry in FORMATS.items()
            for model, written in (("small", entry.written), ("reference", entry.reference))
            if written and not any((row["format"], row["model"]) == (name, model) for row in rows)]
    missing = ["", f"Not run when this page was made: {', '.join(left)}."] if left else []
    reference = any(row["model"] == "reference" for row in rows)
    text = HEAD.format(reference=(
        ", the reference model one of SmolLM2-135M's shape" if reference else ""))
    parts = [text, "## Versions", "", *versions(found), "", "## Largest differences", "", *summary(rows), "",
             "## What was run", "", *cases(rows), *missing, "", "## What does not work", "", *exceptions(rows), ""]
    return "\n".join(parts)
