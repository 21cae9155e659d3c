"""The annotator: a person segments whole images in the browser. No training code and no data set are needed."""
