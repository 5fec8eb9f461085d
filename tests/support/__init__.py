"""What tests share: waiting, events, people, databases, recorders and running systems."""
