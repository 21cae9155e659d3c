"""The annotator: a person segments whole images in the browser. It needs no training code and no data set."""
