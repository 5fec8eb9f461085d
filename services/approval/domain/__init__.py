"""The rules of approval: plain Python, no framework."""
