# SPDX-License-Identifier: MPL-2.0
"""Hook libraries in C that a test compiles for itself."""
import os
import subprocess

_INCLUDE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "..", "include")


def compile_library(path, text, *args):
    """Compiles the C text to the shared object path, with further arguments for the compiler. The path."""
    source = path + ".c"
    with open(source, "w", encoding="utf-8") as f:
        f.write(text)
    subprocess.run(["cc", "-shared", "-fPIC", "-I", _INCLUDE, *args, "-o", path, source], check=True)
    os.remove(source)
    return path
