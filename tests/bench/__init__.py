"""`make bench`: how fast the system is, each figure beside a ceiling measured in the same run on the same machine.

``python -m tests.bench`` prints one table and writes ``var/bench.json``. What the columns mean: docs/performance.md.
"""
