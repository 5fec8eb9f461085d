"""The rules of the approval desk: plain Python, no framework."""
