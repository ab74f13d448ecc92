"""The ssh spawner: environments that are devices under test, reached over SSH."""
