"""The runner against brokers that fail, and workers that are killed."""
