"""Every option of fullseg: what it is, what it may be, and how a configuration is read."""
