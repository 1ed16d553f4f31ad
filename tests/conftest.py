"""
Makes the folder of fakes importable from every test, and lets the garbage collector rest: ours are
many imported modules that stay, and walking them again and again took a tenth of all test time.
"""

import gc
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
gc.set_threshold(50_000, 20, 100)


def pytest_collection_finish() -> None:
    """What is imported and collected by now stays until the end."""
    gc.collect()
    gc.freeze()
