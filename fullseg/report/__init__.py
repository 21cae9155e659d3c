"""One HTML page of one or more runs."""
