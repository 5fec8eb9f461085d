"""What comes in to registration and what goes out of it, one subject a file."""
