"""The podman spawner: environments that are containers."""
