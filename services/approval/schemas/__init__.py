"""What comes in to approval, and what goes out."""
