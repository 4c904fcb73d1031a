#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""The examples of configurations: each library that is built in has one in doc/examples, usher-server -t accepts every one
without a warning, and a scenario of the library shows its effect, direct and through a relay agent. examples_test.py ROOT USHER-SERVER"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile

# Files that examples name, in the directories of the environment.
FILES = {"lease-event.sh": "#!/bin/sh\nexit 0\n", "user_chk_registry.txt": '{ "type": "HW_ADDR", "id": "02:00:00:00:00:01" }\n'}
DIRECTORIES = ("KEA_DHCP_DATA_DIR", "KEA_HOOK_SCRIPTS_PATH", "KEA_LEGAL_LOG_DIR", "KEA_LOG_FILE_DIR")
# A library that works on other things than DHCP packets needs no scenario.
WITHOUT_PACKETS = {"rbac"}


def check_configuration(server, path, directory):
    """The problem of a file, or None."""
    env = {**os.environ, **{d: directory for d in DIRECTORIES}}
    run = subprocess.run([server, "-t", path], env=env, capture_output=True, text=True, timeout=60)
    text = run.stdout + run.stderr
    if os.geteuid() != 0 and "it needs the capability" in text:
        return None  # only the superuser's run can decide
    if run.returncode != 0 or "warning" in text:
        return f"{path}: result {run.returncode}\n{text}"
    return None


def check_scenario(root, name):
    """Whether a scenario has a case with the example, a direct client and one behind a relay agent."""
    path = root / f"tests/scenario/{name}.scn"
    cases = re.split(r"(?m)^case ", path.read_text()) if path.exists() else []
    mine = [c for c in cases if f"config $DOC/examples/{name}.json" in c]
    if not any("relay=" in c and re.search(r"(?m)^(bind|send)(?!.*relay=)", c) for c in mine):
        return f"{path.relative_to(root)}: no case with doc/examples/{name}.json, a direct client and one behind a relay agent"
    return None


def main():
    root, server = pathlib.Path(sys.argv[1]), sys.argv[2]
    natives = re.findall(r'^LIBRARY\("libdhcp_(\w+)\.so",\s*NATIVE', (root / "src/config/schema/kea_hooks.def").read_text(), flags=re.M)
    files = sorted((root / "doc/examples").glob("*.json"))
    wrong = [f"doc/examples/{n}.json is missing: library {n} is built in" for n in natives if not (root / f"doc/examples/{n}.json").exists()]
    with tempfile.TemporaryDirectory() as directory:
        for name, text in FILES.items():
            path = pathlib.Path(directory, name)
            path.write_text(text)
            path.chmod(0o755)
        wrong += filter(None, [check_configuration(server, str(f), directory) for f in files])
        wrong += [f"-t leaves the file {n}" for n in sorted(os.listdir(directory)) if n not in FILES]
    wrong += filter(None, [check_scenario(root, n) for n in natives if n not in WITHOUT_PACKETS])
    print("\n".join(wrong) or f"{len(files)} examples, {len(natives)} libraries")
    return 1 if wrong or not natives else 0


if __name__ == "__main__":
    sys.exit(main())
