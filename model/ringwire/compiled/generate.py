"""Have mypyc write C: ``python -m ringwire.compiled.generate MODULE ...``, in the folder that holds the sources.

On standard output, behind whatever mypyc says, a line of JSON: a list of extension modules, each with ``name``,
``sources``, ``include_dirs`` and ``flags``. A process of its own, because mypyc leaves it where types are wrong.
"""

from __future__ import annotations

import json
import sys

from mypyc.build import mypycify

OPTIONS = ["--config-file=", "--explicit-package-bases", "--namespace-packages", "--ignore-missing-imports"]


def main() -> None:
    files = [f"{module.replace('.', '/')}.py" for module in sys.argv[1:]]
    made = mypycify([*OPTIONS, *files], opt_level="2", debug_level="0", multi_file=True)
    keys = ("name", "sources", "include_dirs")
    print(json.dumps([{key: getattr(each, key) for key in keys} | {"flags": each.extra_compile_args} for each in made]))


if __name__ == "__main__":
    main()
