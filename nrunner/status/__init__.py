"""The status server: messages in, tally, control API."""
