"""Answers to the browser's requests."""
