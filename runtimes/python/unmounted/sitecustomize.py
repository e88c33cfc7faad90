"""Where functions run without a sandbox, nothing hides what the machine has installed: interpreters take it off their paths
themselves, and put the operator's packages there."""

import os
import site
import sys

installed = site.getsitepackages()
sys.path[:] = [folder for folder in sys.path if folder not in installed]
for name, module in [*sys.modules.items()]:  # what it runs at the start of every interpreter may have loaded some of it
    if (getattr(module, "__file__", None) or "").startswith(tuple(f"{folder}/" for folder in installed)):
        del sys.modules[name]
if os.environ.get("INFRA_PYTHON_PACKAGES"):
    site.addsitedir(os.environ["INFRA_PYTHON_PACKAGES"])
