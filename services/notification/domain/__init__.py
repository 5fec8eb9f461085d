"""The rules of notification: what people are told, in which words, and what follows from the outcome of sending it."""
