"""Resolvers: from what the user typed to Runnables."""
