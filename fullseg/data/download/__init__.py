"""The download of COCO: which archives, fetched, checked and unpacked."""
