"""JSON Schemas for what users write."""
