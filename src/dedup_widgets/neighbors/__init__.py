"""Exact distances between unit vectors: nearest neighbours, close pairs, greedy groups."""
