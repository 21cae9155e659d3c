"""An index of every sample of a data set, built once and then mapped into memory."""
