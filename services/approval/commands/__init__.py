"""What operators do at the approval service."""
