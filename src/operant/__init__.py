"""Operant: condition generative models, and prove that it worked."""

import os

# Before anything of Hugging Face is imported: nothing is sent anywhere.
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
os.environ.setdefault("DO_NOT_TRACK", "1")

__version__ = "0.1.0"
