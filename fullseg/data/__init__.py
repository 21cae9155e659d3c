"""Images with partitions into regions, and the annotations simulated on them."""
