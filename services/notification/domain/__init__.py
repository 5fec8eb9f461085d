"""The rules of notification: what people are told, in which words, and how a message gets its fate."""
