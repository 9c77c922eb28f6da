"""``heddle devices``: what heddle computes on."""

from __future__ import annotations

import argparse
import json
import os

from .messages import human


def listing() -> list[dict]:
    from .. import core as mx

    info = mx.device_info()
    return [
        {
            "device": "cpu",
            "index": 0,
            "default": True,
            "name": info.get("device_name", ""),
            "architecture": info.get("architecture", ""),
            "cores": os.cpu_count(),
            "threads": mx._num_threads(),
            "memory": os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"),
        }
    ]


def devices(options: argparse.Namespace) -> int:
    found = listing()
    if options.json:
        print(json.dumps(found, indent=1))
        return 0
    for d in found:
        print(
            f"{d['device']}:{d['index']}  {d['name']} ({d['architecture']}), {d['cores']} cores, "
            f"{d['threads']} threads in use, {human(d['memory'])}"
            + (" (default)" if d["default"] else "")
        )
    return 0
