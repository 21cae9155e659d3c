"""DEXTR, one pass of a whole network per region, written from its paper (Table 1)."""
