"""What a figure was measured on."""

import platform
import re
from pathlib import Path


def processor() -> str:
    """What this machine's processor calls itself."""
    known = Path("/proc/cpuinfo")
    found = re.search(r"(?m)^model name\s*: (.+)$", known.read_text(encoding="utf-8")) if known.exists() else None
    return found[1] if found else platform.processor() or platform.machine()
