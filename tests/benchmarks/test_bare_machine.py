"""The benchmarks of the network run where there is torch, pydantic and the library's source."""

import subprocess
import sys
import textwrap
from pathlib import Path

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
NOT_THERE = ["kedro", "mlflow", "pandas", "pyarrow", "sklearn", "tqdm", "timm", "torchvision"]


def test_what_a_bare_gpu_machine_lacks_is_not_imported():
    code = f"""
        import importlib, sys

        class NotThere:
            def find_spec(self, name, path=None, target=None):
                if name.split(".")[0] in {NOT_THERE}:
                    raise ModuleNotFoundError(name)

        sys.meta_path.insert(0, NotThere())
        sys.path.insert(0, {str(BENCHMARKS)!r})
        importlib.import_module("train_step")
        importlib.import_module("inference")
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=True)
