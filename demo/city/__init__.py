"""The synthetic district: its true state, and what the four departments' systems hold of it.

`generate` builds a city at one instant; `demo.city.days` lets it live on. No server and no file format is known here.
"""

from __future__ import annotations

from demo.city.dirt import DirtRates
from demo.city.generation import generate
from demo.city.state import City, load

__all__ = ["City", "DirtRates", "generate", "load"]
