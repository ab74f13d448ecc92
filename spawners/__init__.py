"""Spawners: what provides environments of one sort."""
