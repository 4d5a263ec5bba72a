"""Compile hot modules to C with mypyc: the same source, half the CPU of its own a request.

    python scripts/compile.py                in place: `import` then finds the compiled modules before the sources
    python scripts/compile.py --clean        back to the sources
    python scripts/compile.py --clean-stale  the same, where a source has changed since: `make` does so by itself
    python scripts/compile.py --copy DIR     a copy of the tree in DIR, compiled there
    python scripts/compile.py --quick ...    half the C compiler's time, slower code, the same behaviour: for tests

A module is listed here when it runs for every request or write and mypyc can compile it. What is not compiled falls
back to its source, module by module, and so does everything where there is no C compiler: speed is the only difference.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CORE = (
    "access admission audit balancing body_rules book breaker buffering bulkhead chunked client_keys "
    "compiling cors countries crowding data_service decision durations ejections explain forwarding frames "
    "gate gcra geography gradient hash_key head header_rules inbox latencies leases limits maglev mirroring "
    "networks origin outcomes outgoing panic paths permissions plans policies principal problems reasons "
    "redirects region_plan regions replay replicas request_body response retries rewriting routes sessions "
    "shaping sharing shedding snapshot spill splitting standing steering sticky sticky_cookie tenancy "
    "timer_wheel trace_context websocket"
)
ADMISSION = "counters door table tenant_counts"
PROXY = (
    "answering attempts client cutting exchange held hopping lane late listening mirror openings parting peer pool "
    "recording retrying shaped sticky tracing tunnel upstream waiting whole_body"
)
ROOM = "byte_locks counts errors location locator places seen"
SYNC = {
    "sync/core": "aftermath arrivals clock dots feed local_batch merge_patch merging policy",
    "sync/sqlite": "file ledger rows store views",
    "sync/api": "answering asking front paths records server",
    "sync/replication": "serving",
    "sync": "wakeups",
    "config/core": "hmac_sha256 signing",
}
PACKAGES = ("config", "gateway", "health", "sync")
"""What these modules import, and mypyc reads."""
MODULES = (
    *(f"gateway/{name}.py" for name in ROOM.split()),
    *(f"gateway/core/{name}.py" for name in CORE.split()),
    *(f"gateway/admission/{name}.py" for name in ADMISSION.split()),
    *(f"gateway/proxy/{name}.py" for name in PROXY.split()),
    "gateway/tls/session.py",
    *(f"{folder}/{name}.py" for folder, names in SYNC.items() for name in names.split()),
)
# Not among them: modules that define `msgspec.Struct`s (hops, debugging, outcome; writes, versions, operation), whose
# options mypyc drops without a word: what is sent would look different from what the source reads. Nor lanes, whose
# `_thread` becomes a word of C.

SETUP = """
import sys
from mypyc.build import mypycify
from setuptools import setup

level, *modules = sys.argv[2:]
sys.argv[1:] = ["--quiet", "build_ext", "--inplace"]
setup(name="compiled", ext_modules=mypycify(["--ignore-missing-imports", *modules], opt_level=level, debug_level="0"))
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clean", action="store_true", help="remove what was compiled")
    parser.add_argument("--clean-stale", action="store_true", help="remove it if a source is newer")
    parser.add_argument("--copy", type=Path, metavar="DIR", help="compile a copy of the tree")
    parser.add_argument("--quick", action="store_true", help="compile without much optimisation")
    arguments = parser.parse_args()
    target = ROOT if arguments.copy is None else arguments.copy.resolve()
    if arguments.clean_stale:
        if is_stale(target):
            clean(target)
            sys.stdout.write(
                "compile: sources have changed: what was compiled is removed; `make fast` compiles again\n"
            )
        return 0
    if arguments.copy is not None:
        copy_tree(target)
    clean(target)
    if arguments.clean:
        return 0
    return compile_into(target, level="0" if arguments.quick else "3")


def copy_tree(target: Path) -> None:
    """Every file that git tracks or would track, as it is now."""
    shutil.rmtree(target, ignore_errors=True)
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    for name in listed.stdout.decode().split("\0"):
        source = ROOT / name
        if name and source.is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target / name)


def compiled_modules(target: Path) -> Iterator[Path]:
    for package in PACKAGES:
        yield from (target / package).rglob("*.so")


def is_stale(target: Path) -> bool:
    """Whether `import` would find something else than what the sources say now."""
    for compiled in compiled_modules(target):
        source = compiled.with_name(compiled.name.partition(".")[0] + ".py")
        if not source.is_file() or source.stat().st_mtime > compiled.stat().st_mtime:
            return True
    return False


def clean(target: Path) -> None:
    for compiled in compiled_modules(target):
        compiled.unlink()
    for glue in target.glob("*__mypyc*.so"):
        glue.unlink()


def compile_into(target: Path, *, level: str) -> int:
    """Compile in a folder of its own, so that neither pyproject.toml nor a half-done build gets in the way.

    `level`: the C compiler's, 0 to 3.
    """
    with tempfile.TemporaryDirectory(prefix="tidegate-compile-") as folder:
        workshop = Path(folder)
        for package in PACKAGES:
            shutil.copytree(target / package, workshop / package)
        done = subprocess.run(
            [sys.executable, "-c", SETUP, "compile", level, *MODULES],
            cwd=workshop,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            sys.stderr.write(done.stdout[-4000:] + done.stderr[-4000:])
            sys.stderr.write("compile: not compiled, the sources stay in use; a C compiler and Python.h are needed\n")
            return 1
        compiled = [file for file in workshop.rglob("*.so") if "build" not in file.relative_to(workshop).parts]
        for file in compiled:
            shutil.copy2(file, target / file.relative_to(workshop))
    sys.stdout.write(f"compile: {len(compiled)} files of compiled modules\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
