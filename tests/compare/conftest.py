"""One small comparison that many tests read."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

DRIVER = Path(__file__).with_name("driver.py")
SECRET = "sk-not-a-real-key-0123456789"


def drive(out: Path, **extra: str) -> subprocess.CompletedProcess[str]:
    """Run the driver to its end, whatever that is."""
    environment = {**os.environ, "OPENAI_API_KEY": SECRET, "OMP_NUM_THREADS": "1", **extra}
    command = [sys.executable, str(DRIVER), str(out)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An unbroken run, made without any network route."""
    out = tmp_path_factory.mktemp("unbroken") / "run"
    ended = drive(out, NO_NETWORK="1")
    assert ended.returncode == 0, ended.stderr
    return out
