"""Whether a module is light enough to be imported for a list of names."""

import json
import os
import subprocess
import sys
from functools import cache

HEAVY = ("torch", "numpy", "scipy", "pandas", "librosa", "soundfile", "essentia", "matplotlib")
DEADLINE = 30.0  # seconds

_PROGRAM = """
import importlib, json, sys
calls = []
def hook(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo"):
        calls.append(event)
        raise OSError("no network while a plugin is imported")
sys.addaudithook(hook)
importlib.import_module(sys.argv[1])
print(json.dumps([[name for name in sys.argv[2:] if name in sys.modules], calls]))
"""


@cache
def wrong_with_import(module: str) -> str:
    """What is wrong with importing a module in a fresh interpreter, in words; '' if nothing."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-c", _PROGRAM, module, *HEAVY]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=DEADLINE, env=environment
        )
    except subprocess.TimeoutExpired:
        return f"importing {module} takes over {DEADLINE:g} s"
    if done.returncode:
        return f"importing {module} fails: {done.stderr.strip().splitlines()[-1]}"
    loaded, calls = json.loads(done.stdout.splitlines()[-1])
    if calls:
        return f"importing {module} uses the network"
    if loaded:
        return f"importing {module} loads {', '.join(loaded)}: move them behind 'factory'"
    return ""
