#!/usr/bin/env python3
"""Holds what Nibble writes against the packages that read it, and reads what they write. scripts/interop runs this.

    scripts/interop.py --nibble .build/release/nibble --folder .build-interop [--reference MODEL] [--markdown FILE] [FORMAT...]

A small Llama is made. For each scheme Nibble writes it in the format, and the format's own package loads that; then the package
quantizes the model itself, in its usual ways, and Nibble loads that. Decoded weights, the logits of a fixed prompt of 64 tokens, and
Nibble's own run are compared (interop_formats/cases.py). Of a reference model, a folder, Nibble writes a few schemes.

Differences are relative: of weights to the largest magnitude of the matrix, of logits to the largest logit. Up to 1e-3 is the same, and
for readers that round more what their arithmetic explains (interop_formats/arithmetic.py). A case that is known not to work is in EXCEPTIONS
of interop_formats/catalog.py, is run all the same, and shown as known; that it works is an error. Exits 1 if a case fails, or
a package is missing. Each format runs in a process of its own, because packages change each other's classes.
"""
import argparse, json, os, pathlib, subprocess, sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "interop_formats"))
from catalog import FORMATS  # noqa: E402


def describe(row):
    """What the table says of a case."""
    if row["state"] != "same":
        return row.get("text", "")
    parts = [f"weights {row['weights']['difference']:.1e} in {row['weights']['count']}"]
    for judged in row["logits"]:
        if "refused" in judged:
            parts.append(f"{judged['arithmetic']}: known not to work")
        else:
            parts.append(f"{judged['arithmetic']} {figure(judged)}")
    return "; ".join(parts + [f"run {figure(row['run'])}"])


def figure(judged):
    allowed = f" of {judged['tolerance']:.1e}" if judged["tolerance"] > 1e-3 else ""
    return f"{judged['difference']:.1e}{allowed}"


def show(row):
    print(f"{row['state']:5} {row['format']:18} {row['model']:8} {row['direction']:14} {row['what']:28} {describe(row)}", flush=True)


def worker(arguments, folder, binary):
    """One format, in its environment."""
    # Packages put progress bars, or nothing, in the place of what Python calls the standard output.
    results = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    import cases

    name = arguments.case
    missing = [module for module in FORMATS[name].modules if not importable(module)]
    if missing:
        raise SystemExit(f"cannot be imported: {' '.join(missing)}")
    print("VERSIONS " + json.dumps(cases.versions(name)), file=results, flush=True)
    for model, written in models(arguments, folder, FORMATS[name]):
        for row in cases.cases(name, binary, model, folder / "work", written, arguments.only):
            print("CASE " + json.dumps(row), file=results, flush=True)
    print("DONE", file=results, flush=True)
    return 0


def importable(module):
    import importlib.util

    return importlib.util.find_spec(module) is not None


def models(arguments, folder, entry):
    """The models, under links that name them, and what is written of each."""
    found = [] if arguments.no_small else [(folder / "work/small", entry.written)]
    if arguments.reference:
        link = folder / "work/reference"
        if not link.is_symlink() or link.resolve() != arguments.reference.resolve():
            link.unlink(missing_ok=True)
            link.symlink_to(arguments.reference.resolve())
        found.append((link, entry.reference))
    return found


def run_format(name, arguments, folder, binary):
    """Starts the worker; gives the rows and the packages' versions."""
    python = folder / FORMATS[name].environment / "bin/python"
    if not python.exists():
        return [{"format": name, "model": "", "direction": "", "what": "", "state": "FAIL",
                 "text": f"no environment {FORMATS[name].environment}; scripts/interop makes it"}], {}
    command = [str(python), str(pathlib.Path(__file__).resolve()), "--nibble", binary, "--folder", str(folder), "--case", name]
    if arguments.reference:
        command += ["--reference", str(arguments.reference.resolve())]
    if arguments.no_small:
        command.append("--no-small")
    for word in arguments.only:
        command += ["--only", word]
    rows, versions, log = [], {}, folder / "work" / f"{name}.log"
    is_done = False
    with open(log, "w") as errors:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True, cwd=folder / "work")
        for line in process.stdout:
            if line.startswith("CASE "):
                rows.append(json.loads(line[5:]))
                show(rows[-1])
            elif line.startswith("VERSIONS "):
                versions = json.loads(line[9:])
            is_done = is_done or line == "DONE\n"
        code = process.wait()
    if code != 0 or not is_done:
        last = (log.read_text().strip().splitlines() or ["no message"])[-1]
        rows.append({"format": name, "model": "", "direction": "", "what": "", "state": "FAIL",
                     "text": f"exit {code} before the last case: {last[:200]}; see {log}"})
        show(rows[-1])
    return rows, versions


def keep(path, rows, versions, whole):
    """Puts the rows in the place of the same cases' former ones; after a whole run, of all those of the same models."""
    former = json.loads(path.read_text())["rows"] if path.exists() else []

    def replaced(row):
        return any(row["model"] == new["model"] and (whole or (row["direction"], row["what"]) == (new["direction"], new["what"]))
                   for new in rows)

    rows = sorted([row for row in former if not replaced(row)] + rows, key=lambda row: row["model"] == "reference")
    path.write_text(json.dumps({"rows": rows, "versions": versions}, indent=1))


def write_page(path, folder):
    import page

    kept = {name: json.loads((folder / f"{name}.json").read_text()) for name in FORMATS if (folder / f"{name}.json").exists()}
    failed = [name for name, value in kept.items() if any(row["state"] == "FAIL" for row in value["rows"])]
    if failed or not kept:
        raise SystemExit(f"error: no page is written: {', '.join(failed) or 'everything'} failed")
    path.write_text(page.page(
        [row for value in kept.values() for row in value["rows"]], {name: value["versions"] for name, value in kept.items()}))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nibble", required=True, help="the binary")
    parser.add_argument("--folder", type=pathlib.Path, required=True, help="where the virtual environments are, and work/ goes")
    parser.add_argument("--reference", type=pathlib.Path, metavar="MODEL", help="a Hugging Face folder of a Llama")
    parser.add_argument("--no-small", action="store_true", help="only the reference model")
    parser.add_argument("--only", action="append", default=[], metavar="WORD", help="only cases whose name contains it")
    parser.add_argument("--markdown", type=pathlib.Path, metavar="FILE", help="write the page, of the last run of each case")
    parser.add_argument("--case", help=argparse.SUPPRESS)
    parser.add_argument("formats", nargs="*", metavar="FORMAT")
    arguments = parser.parse_args()
    folder, binary = arguments.folder.resolve(), str(pathlib.Path(arguments.nibble).resolve())
    if arguments.case:
        return worker(arguments, folder, binary)
    unknown = set(arguments.formats) - set(FORMATS)
    if unknown:
        parser.error(f"no such format: {', '.join(sorted(unknown))}; there are {', '.join(FORMATS)}")
    if arguments.reference and not (arguments.reference / "config.json").exists():
        parser.error(f"{arguments.reference} is no Hugging Face folder")
    if arguments.no_small and not arguments.reference:
        parser.error("--no-small needs --reference")
    names = arguments.formats or list(FORMATS)
    (folder / "work").mkdir(parents=True, exist_ok=True)
    environments = [folder / FORMATS[n].environment for n in names]
    whole = [e for e in environments if (e / "installed.txt").exists()]
    python = next((e / "bin/python" for e in whole + environments if (e / "bin/python").exists()), None)
    if python is None:
        print(f"error: {folder} has no environment; scripts/interop makes them", file=sys.stderr)
        return 1
    make = "import sys, pathlib; sys.path.insert(0, sys.argv[1]); import making; making.make_model(pathlib.Path(sys.argv[2]))"
    subprocess.run([str(python), "-c", make, sys.path[0], str(folder / "work/small")], check=True)
    rows = []
    for name in names:
        found, versions = run_format(name, arguments, folder, binary)
        rows += found
        keep(folder / f"work/{name}.json", found, versions, whole=not arguments.only)
    count = {state: sum(row["state"] == state for row in rows) for state in ("same", "known", "FAIL")}
    print(f"==> {count['same']} the same, {count['known']} known not to work, {count['FAIL']} failed; logs in {folder}/work")
    if arguments.markdown:
        write_page(arguments.markdown, folder / "work")
    return 1 if count["FAIL"] else 0


if __name__ == "__main__":
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    sys.exit(main())
