"""
Makes the folder of fakes importable from every test, and lets the garbage collector rest: ours are
many imported modules that stay, and walking them again and again took a tenth of all test time.
No test fails for a slow machine.
"""

import gc
import sys
from pathlib import Path

from hypothesis import HealthCheck, settings

sys.path.insert(0, str(Path(__file__).parent))
gc.set_threshold(50_000, 20, 100)

# How long an example takes says something of the machine, and of what else runs on it.
settings.register_profile(
    "unhurried", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("unhurried")


def pytest_collection_finish() -> None:
    """What is imported and collected by now stays until the end."""
    gc.collect()
    gc.freeze()
