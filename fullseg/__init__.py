"""Interactive full image segmentation by considering all regions jointly."""
