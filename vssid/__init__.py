"""The operators' command, and all that knows several services: startup, demo, smoke, the generated documents."""
