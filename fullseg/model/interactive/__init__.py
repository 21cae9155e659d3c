"""One image again and again: after a change only what it reaches is computed."""
