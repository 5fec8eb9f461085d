"""What is kept: databases, the outbox, idempotency keys, serials, files, seals and passwords."""
