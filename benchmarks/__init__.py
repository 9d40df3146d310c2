"""Measures what the documents claim: one script per claim, each with its hand-written baseline.

python -m benchmarks                   all, in quick form, in under two minutes
python -m benchmarks gather --full     one, as docs/benchmarks.md has it
"""
