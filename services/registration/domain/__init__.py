"""The rules of registration: what is allowed, and what follows from it."""
