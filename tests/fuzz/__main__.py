"""The long run: `python -m tests.fuzz [--seconds 60] [NAME ...]`, led by coverage (atheris: libFuzzer for Python).

Each subject has a process of its own, and a copy of `sbc` as plain Python, so that its branches are seen. What breaks
one is kept under `.fuzz/NAME/`, where the corpus is too: put it among the seeds when it is mended.
"""

import os
import re
import shutil
import subprocess
import sys
from argparse import ArgumentParser
from pathlib import Path

ROOM = Path(".fuzz")
PLAIN = ROOM / "plain"
LONGEST = 4096
LAST = re.compile(rb"^#(\d+)\s+DONE\s+cov: (\d+)", re.MULTILINE)


def fuzz(name: str, seconds: int) -> None:
    """Fuzz one subject; ends the process."""
    import atheris  # noqa: PLC0415  an extra that nothing else needs

    with atheris.instrument_imports(include=["sbc"]):
        from tests.fuzz.subjects import SUBJECTS  # noqa: PLC0415  what is imported here is instrumented
    subject = SUBJECTS[name]
    corpus = ROOM / name / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(subject.seeds):
        (corpus / f"seed{number}").write_bytes(seed)
    atheris.Setup([
        "fuzz", str(corpus), f"-max_total_time={seconds}", f"-max_len={LONGEST}", f"-artifact_prefix={ROOM / name}/",
        "-rss_limit_mb=1024", "-timeout=10", "-print_final_stats=0",
    ], subject.run)  # fmt: skip
    atheris.Fuzz()


def main() -> int:
    """Fuzz some subjects, or all, one after the other: how many of them broke."""
    parser = ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("names", nargs="*")
    parser.add_argument("--seconds", type=int, default=60, help="for each")
    parser.add_argument("--here", action="store_true", help="one subject, in this process")
    asked = parser.parse_args()
    if asked.here:
        fuzz(asked.names[0], asked.seconds)
    from tests.fuzz.subjects import SUBJECTS  # noqa: PLC0415  not in a process that is to import it instrumented

    shutil.copytree("sbc", PLAIN / "sbc", dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.so", "*.c"))
    environment = {**os.environ, "PYTHONPATH": f"{PLAIN.absolute()}:{Path.cwd()}"}
    environment.pop("SBC_PURE", None)  # it would find modules before they can be instrumented, and there are no others
    broken = 0
    for name in asked.names or SUBJECTS:
        done = subprocess.run(
            [sys.executable, "-P", "-m", "tests.fuzz", "--here", "--seconds", str(asked.seconds), name],
            capture_output=True, check=False, env=environment)  # fmt: skip
        last = LAST.search(done.stderr)
        if done.returncode == 0 and last is not None:
            print(f"{name}: {int(last[1]):,} inputs, {int(last[2]):,} branches", flush=True)
        else:
            broken += 1
            said = done.stdout[-3000:] + done.stderr[-600:]
            print(f"{name}: BROKEN\n{said.decode(errors='replace')}", flush=True)
    return broken


if __name__ == "__main__":
    sys.exit(main())
