"""Answers to what the browser asks."""
