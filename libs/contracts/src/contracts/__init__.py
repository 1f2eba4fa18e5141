"""What crosses the bus: messages with derived subjects, their envelope, and the streams as data."""
