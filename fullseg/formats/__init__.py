"""File formats: COCO panoptic and the annotations of one image; how files are written and locked."""
