#!/usr/bin/env python3
"""Passes if it is told whom to greet, or not told: arguments come from a recipe, if any."""

import os
import sys

who = sys.argv[1] if len(sys.argv) > 1 else "world"
print(f"{os.environ.get('GREETING', 'hello')}, {who}")
sys.exit(0 if who else 1)
