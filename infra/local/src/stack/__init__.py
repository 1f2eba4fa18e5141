"""The one-machine stack: PostgreSQL, NATS and the five services as processes."""
