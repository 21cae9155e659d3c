"""The paper's tables and figures, made again in one go: ours beside the paper's numbers."""
