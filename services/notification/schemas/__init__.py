"""What notification takes in, and what it answers."""
