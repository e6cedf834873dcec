#!/usr/bin/env python3
"""Makes the files in Tests/Fixtures with the reference implementations, and lists them with their hashes.

    scripts/make-fixtures.py               run all scripts in scripts/fixtures, then write the manifest
    scripts/make-fixtures.py ranges mixes  run these
    scripts/make-fixtures.py --list        say what each script makes and which Python packages it needs
    scripts/make-fixtures.py --manifest    run nothing, write the manifest of the files that are there
    scripts/make-fixtures.py --check       compare the files with the manifest; exit code 1 if they differ

scripts/fixtures/NAME.py makes the files in Tests/Fixtures/NAME, unless SPECIAL says otherwise. A script whose packages are
missing is left out, named, and makes the exit code 1. Itself this needs Python 3.10 and nothing else. Files depend on the
versions of the packages, so look at `git diff` afterwards: where a change was not meant, keep the old file.
"""
import argparse, ast, hashlib, importlib.util, json, pathlib, subprocess, sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
SCRIPTS, FIXTURES = ROOT / "scripts/fixtures", ROOT / "Tests/Fixtures"
MANIFEST = FIXTURES / "MANIFEST.json"
# What does not follow the rule: another folder, arguments, or a file that takes the standard output.
SPECIAL = {
    "models": {"arguments": ["Tests/Fixtures/models"]},
    "calibration": {"arguments": ["Tests/Fixtures/models", "Tests/Fixtures/calibration"]},
    "mixes": {"output": "mixes/decisions.json"},
    "tokenizer_ids": {"folder": "tokenizers"},
    "sentence_pieces": {"folder": "tokenizers"},
}
# Written by hand, read by scripts.
SOURCES = {"tokenizers/corpus.txt"}
PACKAGES = {"llama_cpp": "llama-cpp-python", "sklearn": "scikit-learn"}


def names():
    return sorted(path.stem for path in SCRIPTS.glob("*.py"))


def folder(name):
    return SPECIAL.get(name, {}).get("folder", name)


def modules(name):
    """Modules that a script imports and that Python does not bring along."""
    own = {path.stem for path in SCRIPTS.rglob("*.py")}
    found = set()
    for node in ast.walk(ast.parse((SCRIPTS / f"{name}.py").read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.split(".")[0])
    return sorted(found - own - set(sys.stdlib_module_names))


def missing(name):
    return [PACKAGES.get(m, m) for m in modules(name) if importlib.util.find_spec(m) is None]


def run(name):
    """Whether the script succeeded."""
    special = SPECIAL.get(name, {})
    command = [sys.executable, str(SCRIPTS / f"{name}.py"), *special.get("arguments", [])]
    (FIXTURES / folder(name)).mkdir(parents=True, exist_ok=True)
    if "output" not in special:
        return subprocess.run(command, cwd=ROOT).returncode == 0
    result = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE)
    if result.returncode == 0:
        (FIXTURES / special["output"]).write_bytes(result.stdout)
    return result.returncode == 0


def entries():
    """One for each file, by path: its script (null for a source), size and hash."""
    makers = {folder(name): f"scripts/fixtures/{name}.py" for name in names()}
    rows = []
    for path in sorted(FIXTURES.rglob("*")):
        if not path.is_file() or path == MANIFEST or path.name.startswith("."):
            continue
        relative = path.relative_to(FIXTURES)
        data = path.read_bytes()
        script = None if relative.as_posix() in SOURCES else makers.get(relative.parts[0])
        rows.append({"path": relative.as_posix(), "script": script, "bytes": len(data),
                     "sha256": hashlib.sha256(data).hexdigest()})
    return rows


def orphans(rows):
    return [row["path"] for row in rows if row["script"] is None and row["path"] not in SOURCES]


def write_manifest():
    rows = entries()
    for path in orphans(rows):
        print(f"note: no script makes Tests/Fixtures/{path}", file=sys.stderr)
    MANIFEST.write_text("[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]\n")
    print(f"==> {len(rows)} files, {sum(row['bytes'] for row in rows)} bytes, in {MANIFEST.relative_to(ROOT)}")


def check():
    listed = {row["path"]: row for row in json.loads(MANIFEST.read_text())}
    here = {row["path"]: row for row in entries()}
    faults = [f"Tests/Fixtures/{path} is listed and not there" for path in sorted(listed.keys() - here.keys())]
    faults += [f"Tests/Fixtures/{path} is not listed" for path in sorted(here.keys() - listed.keys())]
    faults += [f"Tests/Fixtures/{path} differs in {', '.join(key for key in here[path] if here[path][key] != listed[path].get(key))}"
               for path in sorted(here.keys() & listed.keys()) if here[path] != listed[path]]
    faults += [f"no script makes Tests/Fixtures/{path}" for path in orphans(here.values())]
    for fault in faults:
        print(fault, file=sys.stderr)
    if faults:
        print(f"error: {len(faults)} differences; scripts/make-fixtures.py --manifest writes the list anew", file=sys.stderr)
        return 1
    print(f"==> {len(here)} fixtures are as listed")
    return 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="scripts to run; all by default")
    mode = parser.add_mutually_exclusive_group()
    for option in ("--list", "--manifest", "--check"):
        mode.add_argument(option, action="store_true")
    arguments = parser.parse_args()
    unknown = set(arguments.names) - set(names())
    if unknown:
        parser.error(f"no script is called {', '.join(sorted(unknown))}; there are {', '.join(names())}")
    if arguments.check:
        return check()
    if arguments.list:
        for name in arguments.names or names():
            needs = " ".join(PACKAGES.get(m, m) for m in modules(name)) or "nothing"
            lacks = f" (missing: {' '.join(missing(name))})" if missing(name) else ""
            print(f"{name}: makes Tests/Fixtures/{folder(name)}, needs {needs}{lacks}")
        return 0
    failed = []
    if not arguments.manifest:
        for name in arguments.names or names():
            lacks = missing(name)
            if lacks:
                print(f"error: {name} needs: pip install {' '.join(lacks)}", file=sys.stderr)
                failed.append(name)
                continue
            print(f"==> {name}", flush=True)
            if not run(name):
                print(f"error: scripts/fixtures/{name}.py failed", file=sys.stderr)
                failed.append(name)
    write_manifest()
    if failed:
        print(f"error: not made: {' '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
