"""Renders, batches and rates as Hypothesis draws them for the laws of the schedule."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st

from tests.engine.simulation import Render

FEW = settings(max_examples=20)

renders = st.builds(
    Render,
    at=st.floats(0, 60),
    seconds=st.floats(0, 150),
    kind=st.sampled_from(["Generate", "Style"]),
)
batches = st.sampled_from([1, 3, 50])
rates = st.sampled_from([0.5, 1.0, 2.5, 10.0])
