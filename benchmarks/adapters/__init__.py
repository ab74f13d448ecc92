"""How each tool is given a sort of work: what it wants to find, its command, its own count."""
