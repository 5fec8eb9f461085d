"""What comes in to the notification desk, and what goes out."""
