"""Files that others read too: COCO panoptic, annotations of one image; and how files are written."""
