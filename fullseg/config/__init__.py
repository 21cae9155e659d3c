"""The options of fullseg: their defaults, allowed values and texts, and how a configuration is read."""
