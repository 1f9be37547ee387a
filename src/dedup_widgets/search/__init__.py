"""The images most similar to one."""
