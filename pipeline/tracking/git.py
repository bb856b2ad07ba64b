"""What git knows of the project."""

import subprocess


def git(*arguments: str) -> str:
    """What a command of git's prints; nothing where it fails, as outside a repository."""
    done = subprocess.run(["git", *arguments], capture_output=True, encoding="utf-8", errors="replace")
    return "" if done.returncode else done.stdout
