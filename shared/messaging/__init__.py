"""What carries events: their form on the wire, the queues, the relay, dead letters, and the embedded broker."""
