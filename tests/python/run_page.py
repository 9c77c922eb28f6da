"""Runs the blocks of one page in the folder it is started in, for test_docs.py.

Reads the blocks as JSON from standard input, and writes a JSON list of what each printed.
"""

from __future__ import annotations

import contextlib
import io
import json
import linecache
import pathlib
import subprocess
import sys
import traceback


def run_python(code: str, name: str, line: int, namespace: dict) -> str:
    """What the code prints, with the last line of its traceback if it raises."""
    file = f"{name}:{line}"
    linecache.cache[file] = (len(code), None, code.splitlines(keepends=True), file)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        try:
            exec(compile(code, file, "exec"), namespace)
        except Exception as error:
            print("".join(traceback.format_exception_only(error)).rstrip())
    return printed.getvalue()


def run_shell(code: str) -> str:
    """What the commands print, and how they end unless well."""
    done = subprocess.run(
        ["bash", "-eu", "-o", "pipefail", "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
    )
    ending = f"exit status {done.returncode}\n" if done.returncode else ""
    return done.stdout + ending


def main() -> None:
    page = json.load(sys.stdin)
    namespace = {"__name__": "__main__"}
    results = []
    for block in page["blocks"]:
        if block["title"]:
            file = pathlib.Path(block["title"])
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(block["code"] + "\n")
            results.append("")
        elif block["language"] == "python":
            results.append(run_python(block["code"], page["name"], block["line"], namespace))
        else:
            results.append(run_shell(block["code"]))
    json.dump(results, sys.stdout)


if __name__ == "__main__":
    main()
