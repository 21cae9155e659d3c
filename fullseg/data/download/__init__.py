"""The download of COCO: its archives are fetched, checked and unpacked."""
