"""The queue, its records, and the process that works on it."""
