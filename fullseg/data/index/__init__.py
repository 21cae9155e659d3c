"""What is known of every sample of a data set, built once and then memory-mapped."""
