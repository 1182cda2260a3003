"""Settings that hold for all tests."""

from __future__ import annotations

import os

from hypothesis import settings

# In CI always the same examples: there a red run is the commit's doing. Elsewhere new ones, to find what is left.
# No deadline: the machine may be busy, and a slow example is no wrong one.
BASE = settings.get_profile("ci" if os.environ.get("CI") else "default")
settings.register_profile("heaven", BASE, deadline=None)
settings.register_profile("fast", BASE, deadline=None, max_examples=20, stateful_step_count=20)
settings.load_profile("heaven")  # `make check-fast` asks for the other
