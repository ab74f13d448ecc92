"""What nrunner costs, side by side with other tools that do the same work."""
