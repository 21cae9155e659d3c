"""Images with partitions into regions, and the annotations simulated on them."""

import os

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # else each process that imports it asks PyPI for a newer one
