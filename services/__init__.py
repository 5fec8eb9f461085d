"""The five desks of the house, and the operators' command above them."""
