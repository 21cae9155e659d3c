"""The command line."""
import sys
from fullseg.config import load_config
from fullseg.training.run import train
print(train(load_config(sys.argv[2], sys.argv[3:])))
