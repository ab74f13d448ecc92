"""Result plugins: what people and other programs read."""
