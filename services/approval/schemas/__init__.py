"""What comes in to the approval desk, and what goes out."""
